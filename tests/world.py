"""One of everything that somebody can own, made quickly and without torch."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from accounts.models import User
from catalog.generators import version_key
from catalog.model_pictures import new_key
from catalog.models import (
    Chain,
    ChainStep,
    Licence,
    ModelImport,
    ModelMix,
    ModelPicture,
    ModelRun,
    ModelVersion,
    RunItem,
    RunResult,
    RunStep,
    Source,
    Workspace,
    WorkspaceModel,
)
from catalog.services import publish_version
from catalog.services.exports import onnx_key
from catalog.services.seed import seed_licences
from generation.explore.cache import storage_key
from generation.models import Generation, LookPicture, Picture, Projection, SavedPoint, Walk
from jobs.models import Job, Queue, State
from tests.catalog.folders import make_base_folder, make_folder
from training.models import (
    AISnapshot,
    AITraining,
    AITrainingDraft,
    Dataset,
    DatasetImage,
    DatasetVersion,
    Experiment,
    ExperimentDraft,
    Film,
    Purpose,
    Snapshot,
    Upload,
)

# The SHA-256 of a picture that was taken out of the dataset, which a frozen version still has.
TAKEN_OUT = "5" * 64
# Of a tile in the cache of maps.
LOOK_KEY = "7" * 64


@dataclass(frozen=True, kw_only=True)
class World:
    """What one person owns: a finished experiment and AI training, models, and a picture made with one."""

    owner: User
    dataset: Dataset
    image: DatasetImage
    experiment: Experiment
    snapshot: Snapshot
    draft: ExperimentDraft
    ai_training: AITraining
    ai_snapshot: AISnapshot
    ai_draft: AITrainingDraft
    version: ModelVersion
    generation: Generation
    picture: Picture
    imported: ModelImport
    model_picture: ModelPicture
    run: ModelRun
    run_result: RunResult
    workspace: Workspace
    chain: Chain
    point: SavedPoint
    projection: Projection
    mix: ModelMix
    walk: Walk


def build_world(owner: User, folder: Path) -> World:
    """Insert it all, with real files in the storage; `folder` is for scratch."""
    seed_licences()
    licence = Licence.objects.get(slug="own-work")
    dataset = Dataset.objects.create(
        owner=owner,
        name="Shells",
        licence=licence,
        source_note="Made for a test.",
        people="none",
        rights_stated_at=timezone.now(),
        picture_count=1,
        size_bytes=100,
    )
    image = DatasetImage.objects.create(
        dataset=dataset,
        name="shell.png",
        upload_sha256="1" * 64,
        sha256="2" * 64,
        file=_store(f"datasets/{dataset.pk}/pictures/sh/shell.png"),
        thumbnail=_store(f"datasets/{dataset.pk}/thumbnails/sh/shell.png"),
        width=64,
        height=64,
        size_bytes=100,
        likeness_group=uuid.uuid4(),
    )
    Upload.objects.create(dataset=dataset, job=_job(owner, "training.upload", Queue.LIGHT))
    version = publish_version(
        owner=owner, folder=make_folder(folder / "model"), name="shells", title="Shells", licence=licence
    )
    experiment = _experiment(owner, dataset, version, licence)
    snapshot = Snapshot.objects.create(
        experiment=experiment,
        step=100,
        attempt=1,
        images_seen=1600,
        grid=_store(f"jobs/{experiment.job_id}/1/snapshots/000100/grid.png"),
    )
    Film.objects.create(
        experiment=experiment,
        job=_job(owner, "training.film", Queue.LIGHT),
        file=_store(f"jobs/{experiment.job_id}/film.mp4"),
        last_step=100,
    )
    # Every step can be shown: what it needs was chosen.
    choices = {"start": "cpu64", "crop": "center", "steps": "100"}
    draft = ExperimentDraft.objects.create(
        owner=owner, dataset=dataset, continued_from=snapshot, choices=choices
    )
    ai_training, ai_draft = _ai_training(owner, dataset, experiment.dataset_version, licence, folder)
    ai_snapshot = AISnapshot.objects.create(
        training=ai_training,
        step=100,
        attempt=1,
        grid=_store(f"jobs/{ai_training.job_id}/1/snapshots/000100/grid.png"),
        folder=f"jobs/{ai_training.job_id}/1/snapshots/000100",
    )
    _store(f"jobs/{ai_training.job_id}/1/snapshots/000100/lora.safetensors")
    generation = Generation.objects.create(
        owner=owner,
        job=_job(owner, "generation.pictures", Queue.GENERATE),
        model_version=version,
        settings={"seeds": [1], "truncation_psi": 0.7},
        source_file=_store("starts/shells/source.png"),
        count=1,
    )
    picture = Picture.objects.create(
        owner=owner,
        generation=generation,
        index=0,
        seed=1,
        file=_store(f"jobs/{generation.job_id}/1/000.png"),
        width=64,
        height=64,
        sha256="3" * 64,
        provenance={},
    )
    _store(storage_key(version.weights_sha256, LOOK_KEY))
    LookPicture.objects.create(
        key=LOOK_KEY,
        sha256=version.weights_sha256,
        network=version_key(version.pk),
        size_bytes=1,
        used_at=timezone.now(),
    )
    run, chain = _run(owner), _chain(owner, version, ai_training.base)
    return World(
        owner=owner,
        dataset=dataset,
        image=image,
        experiment=experiment,
        snapshot=snapshot,
        draft=draft,
        ai_training=ai_training,
        ai_snapshot=ai_snapshot,
        ai_draft=ai_draft,
        version=version,
        generation=generation,
        picture=picture,
        imported=_import(owner),
        model_picture=_model_picture(version),
        run=run,
        run_result=_run_result(run, version),
        workspace=chain.workspace,
        chain=chain,
        point=_point(owner, version),
        projection=_projection(owner, version),
        mix=_mix(owner, version, folder),
        walk=_walk(owner, version),
    )


def _run(owner: User) -> ModelRun:
    job = _job(owner, "catalog.run", Queue.GENERATE)
    return ModelRun.objects.create(owner=owner, job=job, title="Shells", count=1)


def _run_result(run: ModelRun, version: ModelVersion) -> RunResult:
    step = RunStep.objects.create(
        run=run, position=0, version=version, model_title="Shells", version_sha256=version.sha256
    )
    given = _store(f"jobs/{run.job_id}/1/000-given.png")
    item = RunItem.objects.create(run=run, position=0, name="shell.png", file=given)
    for kind, value in (("text", "A shell.\nIt is empty."), ("json", {"shells": [1, 2]})):
        RunResult.objects.create(item=item, step=step, output=kind, kind=kind, value=value)
    made = _store(f"jobs/{run.job_id}/1/000-0-picture.png")
    return RunResult.objects.create(
        item=item, step=step, output="picture", kind="image", file=made, width=64, height=64
    )


def _point(owner: User, version: ModelVersion) -> SavedPoint:
    point = {"kind": "seed", "seed": 5, "truncation": 0.8}
    return SavedPoint.objects.create(owner=owner, version=version, title="Conch", point=point)


def _projection(owner: User, version: ModelVersion) -> Projection:
    """One that was stopped after a leg."""
    job = _job(owner, "generation.project", Queue.GENERATE)
    shown = _store(f"jobs/{job.pk}/1/step-0025.webp")
    return Projection.objects.create(
        owner=owner,
        job=job,
        version=version,
        model_title="Shells",
        title="Cat",
        target=_store("projections/cat/target.png"),
        picture=shown,
        settings={"steps": 300, "space": "w+"},
        steps=[{"step": 25, "file": shown, "distance": 0.4}],
        figures={
            "unrelated": {"distance": 0.9, "grey_levels": 60.0},
            "best_random": {"distance": 0.6, "grey_levels": 40.0},
            "reached": {"distance": 0.4, "grey_levels": 30.0},
        },
    )


def _chain(owner: User, version: ModelVersion, base: ModelVersion) -> Chain:
    """Two steps, the second of which has settings of its own."""
    workspace = Workspace.objects.create(owner=owner, name="Beach")
    WorkspaceModel.objects.create(workspace=workspace, model=version.model)
    chain = Chain.objects.create(workspace=workspace, name="Shells")
    for place, model in enumerate((version.model, base.model)):
        ChainStep.objects.create(chain=chain, position=place, model=model, model_title=model.title)
    return chain


def _mix(owner: User, first: ModelVersion, folder: Path) -> ModelMix:
    """A mix that was looked at and made, with a parent whose networks have the same sizes."""
    second = publish_version(
        owner=owner,
        folder=make_folder(folder / "second", seed=1),
        name="pebbles",
        title="Pebbles",
        licence=Licence.objects.get(slug="cc0-1.0"),
    )
    preview_job = _job(owner, "catalog.mix_preview", Queue.GENERATE)
    return ModelMix.objects.create(
        owner=owner,
        first=first,
        second=second,
        config={"method": "average", "share": 0.5},
        preview_job=preview_job,
        preview=_store(f"jobs/{preview_job.pk}/1/preview.webp"),
    )


def _walk(owner: User, version: ModelVersion) -> Walk:
    """A walk that is made, as PNG files."""
    job = _job(owner, "generation.walk", Queue.GENERATE)
    points = [{"kind": "seed", "seed": seed, "truncation": 0.8} for seed in (1, 2)]
    return Walk.objects.create(
        owner=owner,
        job=job,
        version=version,
        model_title="Shells",
        title="Along the shore",
        settings={"points": points},
        format="zip",
        file=_store(f"jobs/{job.pk}/1/walk.zip"),
        size_bytes=100,
        poster=_store(f"jobs/{job.pk}/1/poster.webp"),
    )


def _experiment(owner: User, dataset: Dataset, version: ModelVersion, licence: Licence) -> Experiment:
    source = Source.objects.create(
        kind=Source.Kind.DATASET, label=dataset.name, sha256="4" * 64, licence=licence
    )
    frozen = DatasetVersion.objects.create(
        dataset=dataset,
        name=dataset.name,
        sha256="4" * 64,
        pictures=[{"sha256": TAKEN_OUT, "file": _store(f"datasets/{dataset.pk}/pictures/ta/taken-out.png")}],
        count=50,
        crop="center",
        licence=licence,
        source=source,
    )
    return Experiment.objects.create(
        owner=owner,
        name="Shells",
        dataset_version=frozen,
        starting_point=version,
        preset="cpu64",
        steps=100,
        job=_job(owner, "training.experiment", Queue.TRAIN),
        saved_model=version.model,
    )


def _ai_training(
    owner: User, dataset: Dataset, frozen: DatasetVersion, licence: Licence, folder: Path
) -> tuple[AITraining, AITrainingDraft]:
    """An AI training that is done, and one that was not started, on a base without weights."""
    base = publish_version(
        owner=owner, folder=make_base_folder(folder / "base"), name="base", title="Base", licence=licence
    )
    training = AITraining.objects.create(
        owner=owner,
        name="Rex",
        purpose=Purpose.OBJECT,
        keyword="customrexmodel",
        subject="mug",
        dataset_version=frozen,
        base=base,
        steps=100,
        sample_prompts=["customrexmodel mug"],
        job=_job(owner, "training.ai", Queue.TRAIN),
    )
    pictures = Dataset.objects.create(owner=owner, name="Mug", licence=licence, purpose=Purpose.OBJECT)
    # Every step can be shown: what it needs was chosen.
    choices = {"base": str(base.pk), "name": "Max", "subject": "mug", "steps": ""}
    return training, AITrainingDraft.objects.create(owner=owner, dataset=pictures, choices=choices)


def _import(owner: User) -> ModelImport:
    """A LoRA that was looked at and waits for its owner's answer."""
    imported = ModelImport(
        owner=owner,
        job=_job(owner, "catalog.import", Queue.LIGHT),
        filename="style.safetensors",
        size_bytes=100,
        kind=ModelImport.Kind.LORA,
        stage=ModelImport.Stage.FOUND,
    )
    folder = f"imports/{imported.pk}/1"
    _store(f"{folder}/brought.safetensors")
    imported.found = {
        "kind": "lora",
        "family": "lora",
        "format": "LoRA, rank 4",
        "folder": folder,
        "files": {},
    }
    imported.save()
    return imported


def _model_picture(version: ModelVersion) -> ModelPicture:
    _store(onnx_key(version.sha256))
    file = _store(new_key(version.model_id))
    return ModelPicture.objects.create(model=version.model, file=file, width=64, height=64)


def _job(owner: User, kind: str, queue: str) -> Job:
    now = timezone.now()
    return Job.objects.create(
        owner=owner, kind=kind, queue=queue, label=kind, state=State.SUCCEEDED, attempt=1, finished_at=now
    )


def _store(key: str) -> str:
    file = ContentFile(b"")
    Image.new("RGB", (64, 64), "tan").save(file, format="PNG")
    return default_storage.save(key, file)
