"""What was made with a dataset or with one picture of it: trainings, models, and all that came of these."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from catalog.lineage import LineageEntry, descendants, made_of_any
from catalog.models import Source
from training.exceptions import PictureUnknown
from training.models import (
    RUN_MODELS,
    AITrainingDraft,
    Dataset,
    DatasetImage,
    DatasetVersion,
    Experiment,
    ExperimentDraft,
    TrainingRun,
    Withdrawal,
)


@dataclass(frozen=True, kw_only=True)
class Uses:
    """What depends on frozen versions.

    `trainings` are the experiments and AI trainings on them; `later` ones, of the same owner, began with a
    model that came of them. `models` are all that came of them, as their owner may see them. `drafts`:
    trainings not started yet.
    """

    trainings: Sequence[TrainingRun]
    later: Sequence[Experiment]
    models: Sequence[LineageEntry]
    drafts: int = 0

    @property
    def active(self) -> list[TrainingRun]:
        """Those that wait or run."""
        return [one for one in self.trainings if one.job.is_active]

    @property
    def ended(self) -> list[TrainingRun]:
        """Those that have ended: none of them can be resumed afterwards."""
        return [one for one in self.trainings if not one.job.is_active]

    def __bool__(self) -> bool:
        return bool(self.trainings or self.later or self.models or self.drafts)


@dataclass(frozen=True, kw_only=True)
class FoundPicture:
    """A picture wherever its owner has it: in datasets, and in frozen versions (see `versions_with`).

    `image` is what the dataset it was asked for in shows of it; None where it was taken out there.
    """

    sha256: str
    image: DatasetImage | None
    copies: Sequence[DatasetImage]
    versions: Sequence[Any]  # DatasetVersion, annotated by `versions_with`

    @property
    def is_gone(self) -> bool:
        """Whether it was withdrawn from everything that has had it."""
        return not self.copies and all(version.is_withdrawn for version in self.versions)


def find_picture(dataset: Dataset, sha256: str) -> FoundPicture:
    """Find a picture of a dataset, or of a frozen version of it, and its copies elsewhere. Three queries.

    Raises PictureUnknown when neither has it.
    """
    owned = DatasetImage.objects.filter(dataset__owner=dataset.owner_id, sha256=sha256)
    copies = list(owned.select_related("print", "dataset").order_by("dataset_id"))
    versions = list(versions_with(dataset.owner_id, sha256).select_related("dataset"))
    image = next((copy for copy in copies if copy.dataset_id == dataset.pk), None)
    if image is None and not any(version.dataset_id == dataset.pk for version in versions):
        raise PictureUnknown(sha256)
    return FoundPicture(sha256=sha256, image=image, copies=copies, versions=versions)


def versions_with(owner_id: UUID, sha256: str) -> QuerySet[DatasetVersion]:
    """The frozen versions of a person's datasets and trainings that have a picture, without `pictures`.

    Each says whether the picture `is_withdrawn` from it.
    """
    owned = Q(dataset__owner=owner_id) | Q(experiments__owner=owner_id) | Q(ai_trainings__owner=owner_id)
    found = DatasetVersion.objects.filter(owned, pictures__contains=[{"sha256": sha256}]).values("pk")
    withdrawn = Withdrawal.objects.filter(version=OuterRef("pk"), picture_sha256=sha256)
    versions: QuerySet[DatasetVersion] = DatasetVersion.objects.filter(pk__in=found).annotate(
        is_withdrawn=Exists(withdrawn)
    )
    return versions.defer("pictures", "report").order_by("pk")


def uses_of_versions(versions: Collection[DatasetVersion], owner: User) -> Uses:
    """What was made with frozen versions. Seven queries."""
    sources = [version.source_id for version in versions]
    made = {one.source.pk for one in descendants(sources) if one.source.kind == Source.Kind.MODEL}
    keys = [version.pk for version in versions]
    trained = [one for model in RUN_MODELS for one in _owned(model, owner).filter(dataset_version__in=keys)]
    later = _owned(Experiment, owner).filter(starting_point__source__in=made)
    later = later.exclude(pk__in=[one.pk for one in trained])
    return Uses(trainings=trained, later=list(later), models=made_of_any(sources, owner))


def _owned(model: type[TrainingRun], owner: User) -> QuerySet[Any]:
    found: QuerySet[Any] = model.objects.owned_by(owner).select_related("job", "dataset_version")
    return found.defer("dataset_version__pictures", "dataset_version__report")


def uses_of_dataset(dataset: Dataset) -> Uses:
    """What was made with a dataset, and the trainings with it that were not started. Nine queries."""
    versions = list(dataset.versions.only("pk", "source", "dataset"))
    found = uses_of_versions(versions, dataset.owner)
    drafts = ExperimentDraft.objects.filter(dataset=dataset).count()
    drafts += AITrainingDraft.objects.filter(dataset=dataset).count()
    return Uses(trainings=found.trainings, later=found.later, models=found.models, drafts=drafts)
