"""What can go wrong in the catalog. The text of each may be shown to the user and says what to do next."""

from django.utils.functional import Promise


class CatalogError(Exception):
    """Base of the catalog's own errors; `message` is a sentence for the user."""

    def __init__(self, message: str | Promise) -> None:
        super().__init__(message)
        self.message = message


class NameTakenError(CatalogError):
    """The owner already has a model of that name; `suggestions` are free ones."""

    def __init__(self, message: str | Promise, suggestions: list[str]) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class BrokenModelError(CatalogError):
    """A model folder is incomplete, or its files are not what its manifest says."""


class ModelInUseError(CatalogError):
    """The model cannot be deleted while something that is being made needs it."""


class ImportRefusedError(CatalogError):
    """A model cannot be imported now, or not any more."""


class RunRefusedError(CatalogError):
    """A model, or a chain of them, cannot be run like that."""


class TooManyRunsError(RunRefusedError):
    """The owner has as many runs waiting as one person may have; `retry_after` is in seconds."""

    retry_after = 30


class MixRefusedError(CatalogError):
    """Two models cannot be mixed, or not like that, or not now."""


class TooManyMixesError(MixRefusedError):
    """The owner has as many previews waiting as one person may have; `retry_after` is in seconds."""

    retry_after = 10


class ChainRefusedError(CatalogError):
    """A step of a chain does not fit what comes before it; `step` counts from 0."""

    def __init__(self, message: str | Promise, step: int) -> None:
        super().__init__(message)
        self.step = step


class TermsForbid(CatalogError):
    """The terms of the model, or of something it was made from, do not allow it; the message says which."""


class ReviewRefused(CatalogError):
    """A review or a report cannot go that way as it stands."""


class PictureNotTaken(CatalogError):
    """A picture cannot be put on a model's page; the message says why."""
