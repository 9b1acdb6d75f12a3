"""What can go wrong with accounts."""


class EraseRefusedError(Exception):
    """An account cannot be erased; the sentence says why."""


class NotYetError(Exception):
    """Something has to end before an account can be erased."""


class HandleRefusedError(Exception):
    """Somebody cannot have this public name; the sentence says why, and what to do."""
