"""Bringing models made elsewhere: what is in the file, whether it runs, and a private model of it."""
