"""What must be said about a dataset's pictures before anything is trained on them."""

from django.utils.translation import gettext as _

from training.exceptions import RightsMissing
from training.models import Dataset


def judge_rights(dataset: Dataset) -> None:
    """Raise RightsMissing when nothing may be trained on a dataset's pictures, as far as was stated."""
    problem = rights_problem(dataset)
    if problem:
        raise RightsMissing(problem, field="dataset")


def rights_problem(dataset: Dataset) -> str:
    """Say what to do about the rights before a training; "" when they allow it. Reads the licence."""
    if dataset.rights_stated_at is None:
        return _("Before you train, say where the pictures come from and what may be done with them.")
    if not dataset.licence.derivatives:
        return _(
            "Under the licence “%(licence)s” nothing new may be made of the pictures. Ask whoever holds the "
            "rights, and state the licence that they grant; or use other pictures."
        ) % {"licence": dataset.licence.name}
    return ""
