"""What can go wrong when pictures are ordered. The text may be shown to the user."""


class TooManyWaitingError(Exception):
    """The owner has as many orders waiting as one person may have; `retry_after` is in seconds."""

    retry_after = 30
