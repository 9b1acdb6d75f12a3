"""What of somebody's datasets and trainings is taken along. See `accounts.belongings`.

Snapshots come as they are kept: weights, the pictures of the fixed seeds, figures. Checkpoints, which only a
studio can go on from, stay.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.belongings import Entry, Part, json_lines, stored_file, stored_folder, tell_counts
from accounts.models import User
from training.exports import dataset_files
from training.models import AISnapshot, AITraining, Dataset, Experiment, Film, Snapshot


def _describe(user: User) -> list[str]:
    return tell_counts(
        [
            (
                Dataset.objects.filter(owner=user),
                ngettext_lazy("%(count)s dataset", "%(count)s datasets", "count"),
            ),
            (
                Experiment.objects.filter(owner=user),
                ngettext_lazy("%(count)s experiment", "%(count)s experiments", "count"),
            ),
            (
                AITraining.objects.filter(owner=user),
                ngettext_lazy("%(count)s AI training", "%(count)s AI trainings", "count"),
            ),
        ]
    )


def _files(user: User) -> Iterator[Entry]:
    yield from _datasets(user)
    yield from _experiments(user)
    yield from _ai_trainings(user)


def _datasets(user: User) -> Iterator[Entry]:
    mine = Dataset.objects.filter(owner=user).order_by("created_at")
    yield "datasets.jsonl", json_lines(
        mine, "id", "name", "purpose", "crop", "keyword", "subject", "source_note", "licence", "people",
        "rights_stated_at", "picture_count", "size_bytes", "created_at",
    )  # fmt: skip
    for dataset in mine.select_related("licence"):
        for name, content in dataset_files(dataset, "jsonl"):
            yield f"datasets/{_folder(dataset)}/{name}", content


def _experiments(user: User) -> Iterator[Entry]:
    mine = Experiment.objects.filter(owner=user).order_by("created_at")
    yield "experiments.jsonl", json_lines(
        mine, "id", "name", "preset", "resolution", "mirror", "steps", "seed", "settings", "created_at",
        dataset_id=F("dataset_version__dataset"), starting_point_model=F("starting_point__model"),
    )  # fmt: skip
    for experiment in mine:
        folder = f"experiments/{_folder(experiment)}"
        yield f"{folder}/curves.jsonl", json_lines(experiment.stats.order_by("step"), "step", "values")
        yield from _snapshots(folder, Snapshot.objects.filter(experiment=experiment))
        for film in Film.objects.filter(experiment=experiment):
            yield from stored_file(f"{folder}/progress.mp4", film.file)


def _ai_trainings(user: User) -> Iterator[Entry]:
    mine = AITraining.objects.filter(owner=user).order_by("created_at")
    yield "ai_trainings.jsonl", json_lines(
        mine, "id", "name", "purpose", "keyword", "subject", "steps", "seed", "sample_prompts", "settings",
        "created_at", dataset_id=F("dataset_version__dataset"), base_model=F("base__model"),
    )  # fmt: skip
    for training in mine:
        folder = f"ai_trainings/{_folder(training)}"
        yield f"{folder}/curves.jsonl", json_lines(training.stats.order_by("step"), "step", "values")
        yield from _snapshots(folder, AISnapshot.objects.filter(training=training))


def _snapshots(folder: str, snapshots: QuerySet[Any]) -> Iterator[Entry]:
    yield f"{folder}/snapshots.jsonl", json_lines(snapshots.order_by("step"), "step", "metrics", "created_at")
    for snapshot in snapshots.order_by("step"):
        place = f"{folder}/step-{snapshot.step:06}"
        yield from stored_file(f"{place}.{snapshot.grid.rpartition('.')[2]}", snapshot.grid)
        yield from stored_folder(place, snapshot.folder)


def _folder(row: Dataset | Experiment | AITraining) -> str:
    """What a row's folder is called: its name, and enough of its number that no two are the same."""
    return f"{slugify(row.name)[:40] or 'unnamed'}-{row.pk.hex[:8]}"


TRAINING = Part(
    name="training", title=_("Datasets, experiments and AI trainings"), describe=_describe, files=_files
)
