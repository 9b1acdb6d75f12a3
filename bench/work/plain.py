"""What is timed, for RQ's own worker too, which knows nothing of Django."""


def nothing() -> None:
    """Do nothing: what is left is the overhead."""
