"""People: the user, sign-up and sign-in, what is private to whom, export and deletion."""
