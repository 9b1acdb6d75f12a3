"""Starting, saving and deleting experiments."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from billing.selectors import Quote
from catalog.models import CatalogModel, Derivation, ModelVersion, Source
from catalog.services import add_version, publish_version, suggest_names
from catalog.services.licences import judge_derivation
from engines.errors import ConfigError
from engines.stylegan.config import PRESETS, Architecture, Preset, preset_for
from engines.stylegan.memory import training_bytes
from jobs.files import fetch_folder
from jobs.services import stop_job, submit_job
from training import files
from training.exceptions import SettingsRefused, SnapshotMissing
from training.kinds import EXPERIMENT
from training.models import Crop, Dataset, Experiment, Film, Snapshot, TrainingRun
from training.prices import next_slice_end, quote_steps, quote_training
from training.services.steering import delete_training
from training.services.versions import freeze_version

SCRATCH_PRESET = "cpu64"
_ANYWHERE_BYTES = 2 << 30


def start_experiment(
    *,
    owner: User,
    dataset: Dataset,
    starting_point: ModelVersion | None,
    steps: int,
    name: str = "",
    crop: str = Crop.CENTER,
    mirror: bool = True,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    preset: str = SCRATCH_PRESET,
    continued_from: Snapshot | None = None,
) -> Experiment:
    """Freeze the dataset and submit a training on it, from a model or, with None, from scratch.

    `preset` counts from scratch only: a starting point brings its own sizes. `settings` overrides single
    fields of the preset's TrainConfig (gamma, ada_target, learning_rate, ...). `continued_from` is the
    snapshot that the starting point was saved from, where the experiment continues another.
    Effect: inserts the frozen version, the experiment and its job in one transaction, and holds the credits
    for the steps until the first snapshot. The caller has made sure that the owner may use both dataset and
    starting point.
    Raises TermsForbid (the starting point may not be changed), DatasetUnfit (too few pictures, still being
    checked), SettingsRefused (out of range), CreditsShort and AccountBlocked.
    """
    if starting_point is not None:
        judge_derivation(version=starting_point, actor=owner)
    preset_name, chosen = choose_preset(starting_point, preset)
    overrides = dict(settings or {})
    try:
        chosen.config(
            dataset=Path(),
            run_dir=Path(),
            start=Path() if starting_point else None,
            steps=steps,
            seed=seed,
            mirror=mirror,
            **overrides,
        )
    except ConfigError as error:
        raise SettingsRefused(str(error)) from error
    with transaction.atomic():
        experiment = Experiment(
            owner=owner,
            name=name or default_name(dataset, starting_point),
            dataset_version=freeze_version(dataset=dataset, crop=crop),
            starting_point=starting_point,
            continued_from=continued_from,
            preset=preset_name,
            resolution=chosen.architecture.resolution,
            mirror=mirror,
            steps=steps,
            seed=seed,
            settings=overrides,
        )
        experiment.job = submit_job(
            owner=owner,
            kind=EXPERIMENT.name,
            label=experiment.name,
            total=steps,
            quote=_quote_first_slice(experiment),
            needs_bytes=needs_bytes(chosen, overrides),
        )
        experiment.save(force_insert=True)
        return experiment


def _quote_first_slice(experiment: Experiment) -> Quote:
    whole = quote_training(resolution=experiment.resolution, steps=experiment.steps)
    return quote_steps(whole.price, after=0, until=next_slice_end(experiment, 0))


def needs_bytes(preset: Preset, overrides: Mapping[str, Any]) -> int:
    """The memory that a training asks of its device; 0 for one so small that it runs on any processor."""
    chosen = {**preset.settings, **overrides}
    needed = training_bytes(preset.architecture, chosen.get("micro_batch") or chosen["batch"])
    return needed if needed > _ANYWHERE_BYTES else 0


def choose_preset(
    starting_point: ModelVersion | None, scratch_preset: str = SCRATCH_PRESET
) -> tuple[str, Preset]:
    """The name and the preset that fit a starting point: its networks' sizes decide. None: from scratch."""
    if starting_point is None:
        return scratch_preset, PRESETS[scratch_preset]
    preset = preset_for(Architecture.from_dict(starting_point.manifest["architecture"]))
    name = next((name for name, known in PRESETS.items() if known.title == preset.title), SCRATCH_PRESET)
    return name, preset


def default_name(dataset: Dataset, starting_point: ModelVersion | None) -> str:
    """What an experiment is called when nobody said."""
    if starting_point is None:
        return dataset.name
    full = _("%(dataset)s from %(model)s") % {
        "dataset": dataset.name, "model": starting_point.model.title,
    }  # fmt: skip
    return full[:80]


def save_model(
    *, experiment: Experiment, snapshot: Snapshot | None = None, name: str | None = None
) -> ModelVersion:
    """Make a model of the owner's from a snapshot, by default the last one; another snapshot adds a version.

    Effect: publishes the snapshot's files with their lineage (starting point and dataset), private, under the
    dataset's licence; then notes the model at the experiment. Saving the same snapshot again changes nothing.
    Raises SnapshotMissing when there is no snapshot with weights.
    """
    snapshot = snapshot or _last_snapshot(experiment)
    if snapshot is None or not snapshot.folder:
        raise SnapshotMissing(_("There is no snapshot to save yet. Wait for the first one."))
    title = name or experiment.name
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        fetch_folder(snapshot.folder, folder)
        version = _publish(experiment, folder, title)
    if experiment.saved_model_id != version.model_id:
        experiment.saved_model = version.model
        experiment.save(update_fields=["saved_model"])
    return version


def _publish(experiment: Experiment, folder: Path, title: str) -> ModelVersion:
    parents: list[tuple[Source, str]] = [(experiment.dataset_version.source, Derivation.Role.DATASET)]
    if experiment.starting_point is not None:
        parents.append((experiment.starting_point.source, Derivation.Role.STARTING_POINT))
    licence = experiment.dataset_version.licence
    if experiment.saved_model is not None:
        return add_version(model=experiment.saved_model, folder=folder, licence=licence, parents=parents)
    return publish_version(
        owner=experiment.owner,
        folder=folder,
        name=suggest_names(owner=experiment.owner, wanted=title, count=1)[0],
        title=title,
        licence=licence,
        type=CatalogModel.Type.GENERATE,
        parents=parents,
        saved_from=experiment.job_id,
        training_data=describe_data(experiment),
    )


def describe_data(training: TrainingRun) -> str:
    """What a model's page says of the pictures that it was trained on."""
    version = training.dataset_version
    return _("%(count)d pictures of the dataset %(name)s, SHA-256 %(sha256)s.") % {
        "count": version.count,
        "name": version.name,
        "sha256": version.sha256[:12],
    }


def _last_snapshot(experiment: Experiment) -> Snapshot | None:
    return experiment.snapshots.exclude(folder="").order_by("-step").first()


@transaction.atomic
def delete_experiment(*, training: Experiment) -> None:
    """Delete an experiment with its film and all that `delete_training` takes. Raises ExperimentBusy."""
    film = Film.objects.select_related("job").filter(experiment=training).first()
    if film is not None:
        stop_job(job=film.job, cause="the experiment was deleted")
        transaction.on_commit(partial(files.remove_files, [film.file] if film.file else []))
    delete_training(training=training)
