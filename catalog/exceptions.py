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
