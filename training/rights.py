"""What must be said about a dataset's pictures before anything is trained on them."""

from django.utils.translation import gettext as _

from training.exceptions import RightsMissing
from training.models import Dataset


def are_stated(dataset: Dataset) -> bool:
    """Whether source, licence and people were stated."""
    return dataset.rights_stated_at is not None


def judge_rights(dataset: Dataset) -> None:
    """Raise RightsMissing when the rights to a dataset's pictures were not stated yet."""
    if not are_stated(dataset):
        raise RightsMissing(missing_sentence(), field="dataset")


def missing_sentence() -> str:
    """What to do about rights that were not stated."""
    return _("Before you train, say where the pictures come from and what may be done with them.")
