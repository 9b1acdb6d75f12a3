"""What can go wrong when pictures are ordered. The text may be shown to the user."""


class TooManyWaitingError(Exception):
    """The owner has as many orders waiting as one person may have; `retry_after` is in seconds."""

    retry_after = 30


class StartRefusedError(Exception):
    """A picture or mask that somebody sent cannot be started from; the text says why."""


class CannotUpscaleError(Exception):
    """A picture cannot be made larger; the text says why."""


class PointRefusedError(Exception):
    """A point cannot be kept, or not be shown by a model; the text says why."""


class LookRefusedError(Exception):
    """Pictures that a page wants to show cannot be asked for like that; the text says why."""


class LooksBusyError(LookRefusedError):
    """Too many visitors look on at once; `retry_after` is in seconds."""

    retry_after = 5


class WalkRefusedError(Exception):
    """A walk cannot be made like that, or cannot be deleted now; the text says why."""
