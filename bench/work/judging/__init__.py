"""Sheets for people who judge blind: what they see, what they should say, and what they said."""
