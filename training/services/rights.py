"""Stating the rights to a dataset's pictures."""

from django.utils import timezone

from catalog.models import Licence
from training.models import Dataset, People


def state_rights(*, dataset: Dataset, source_note: str, licence: Licence, people: str) -> None:
    """Keep where a dataset's pictures come from, under which licence they are and whether people are shown.

    Effect: updates one row, after which the dataset may be trained on. Versions that were frozen before keep
    what was stated then. Raises ValueError for an empty source and for people that were not spoken of.
    """
    if not source_note.strip() or People(people) is People.UNSAID:
        raise ValueError("source and people have to be stated")
    dataset.source_note = source_note
    dataset.licence = licence
    dataset.people = people
    dataset.rights_stated_at = timezone.now()
    dataset.save(update_fields=["source_note", "licence", "people", "rights_stated_at"])
