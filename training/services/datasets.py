"""Making and deleting datasets."""

import shutil
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import Licence
from catalog.selectors import licence as seeded_licence
from engines.starters.drawings import FAMILIES
from jobs.models import ACTIVE_STATES, Job
from jobs.services import stop_job, submit_job
from training import files
from training.kinds import SAMPLE
from training.models import (
    RUN_MODELS,
    Dataset,
    NearestIndex,
    People,
    Purpose,
    Upload,
)

SAMPLE_LICENCE = "cc0-1.0"


def create_dataset(
    *,
    owner: User,
    name: str,
    licence: Licence,
    source_note: str = "",
    purpose: str = Purpose.EXPERIMENT,
) -> Dataset:
    """Make an empty dataset. One row."""
    return Dataset.objects.create(
        owner=owner, name=name, licence=licence, source_note=source_note, purpose=purpose
    )


def describe_dataset(*, dataset: Dataset, name: str, purpose: str) -> None:
    """Give a dataset another name, or another purpose, by which it is judged from now on. One UPDATE."""
    Dataset.objects.filter(pk=dataset.pk).update(name=name, purpose=purpose)


@transaction.atomic
def create_sample_dataset(*, owner: User, family: str, count: int | None = None) -> Dataset:
    """Give the owner a sample dataset of a drawn family; the one that they have already is returned as it is.

    Effect: inserts the dataset, empty, and a light job that draws `count` pictures into it (by default as
    many as the family recommends), in one transaction. Raises ValueError for an unknown family.
    """
    if family not in FAMILIES:
        raise ValueError(f"There is no drawn family {family!r}.")
    User.objects.select_for_update().get(pk=owner.pk)  # two clicks make one dataset
    existing: Dataset | None = Dataset.objects.owned_by(owner).filter(sample_family=family).first()
    if existing is not None:
        return existing
    drawn = FAMILIES[family]
    dataset: Dataset = Dataset.objects.create(
        owner=owner,
        name=drawn.title,
        sample_family=family,
        source_note=drawn.description,
        licence=seeded_licence(SAMPLE_LICENCE),
        people=People.NONE,
        rights_stated_at=timezone.now(),
    )
    total = count or drawn.sample_count
    label = _("Drawing %(count)d pictures for %(name)s") % {"count": total, "name": dataset.name}
    job = submit_job(owner=owner, kind=SAMPLE.name, label=label, total=total)
    Upload.objects.create(dataset=dataset, job=job)
    return dataset


@transaction.atomic
def delete_dataset(*, dataset: Dataset) -> None:
    """Delete a dataset with its pictures.

    What was made from it stays as a record: frozen versions keep their fingerprint, trainings their
    snapshots, models their lineage. But the pictures themselves go everywhere, so trainings that wait are
    canceled, running ones stop with a snapshot, and none can be resumed. One transaction; files go after its
    commit.
    """
    explanation = _("The dataset was deleted, so this training ended. What it had learned by then is kept.")
    trained = [model.objects.filter(dataset_version__dataset=dataset) for model in RUN_MODELS]
    of_trainings = Q(experiment__dataset_version__dataset=dataset)
    of_trainings |= Q(ai_training__dataset_version__dataset=dataset)
    jobs = Job.objects.filter(state__in=ACTIVE_STATES)
    for job in jobs.filter(upload__dataset=dataset):
        stop_job(job=job, cause="the dataset was deleted", explanation=explanation)
    for job in jobs.filter(of_trainings):
        stop_job(job=job, cause="the dataset was deleted", explanation=explanation)
    prepared = [files.prepared_folder(pk) for runs in trained for pk in runs.values_list("pk", flat=True)]
    prefix = files.dataset_prefix(dataset.pk)
    NearestIndex.objects.filter(version__dataset=dataset).delete()
    dataset.delete()
    transaction.on_commit(partial(files.remove_prefix, prefix))
    for folder in prepared:
        # A training that has the file mapped goes on reading it until it has stopped.
        transaction.on_commit(partial(shutil.rmtree, folder, ignore_errors=True))
