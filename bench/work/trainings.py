"""Trainings of several kinds, each estimated beforehand and timed."""

import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from accounts.models import User
from bench.work.figures import ratio
from bench.work.processes import running
from catalog.models import Licence, ModelVersion
from catalog.services.seed import seed_licences
from engines.stylegan.speed import Speed
from jobs.hardware import threads_alone
from jobs.machines import register
from jobs.models import Job, Queue, State
from jobs.progress import read_progress
from training import services
from training.estimates import estimate_training
from training.models import Dataset, Experiment, People, TrainingSpeed
from training.probes import missing_presets
from training.services.experiments import choose_preset
from training.speeds import store_probe

_PATIENCE_SECONDS = 400.0
_PHOTO_SIZE = (1600, 1200)


@dataclass(frozen=True)
class Plan:
    """A training of the bench."""

    dataset: str
    steps: int
    preset: str = "cpu64"
    is_transfer: bool = False
    mirror: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        start = "transfer" if self.is_transfer else "scratch"
        others = "".join(f", {name} {value}" for name, value in self.settings.items())
        return f"{self.preset} {start}, {self.steps} steps, {self.dataset}{others}"


# The first one of each preset is what the transfers with it start from.
PLANS = (
    Plan("60 drawn", 200),
    Plan("400 drawn", 150, is_transfer=True),
    Plan("400 drawn", 300, settings={"snapshot_every": 100}),
    Plan("60 drawn", 120, is_transfer=True, settings={"snapshot_every": 40}),
    Plan("100 photographs", 150),
    Plan("60 drawn", 50, preset="cpu64-hq"),
    Plan("400 drawn", 250, is_transfer=True, mirror=False),
    Plan("60 drawn", 150, settings={"ada_target": 0.0}),
    Plan("100 photographs", 300, is_transfer=True, settings={"freeze_d": 4}),
    Plan("60 drawn", 100, settings={"gamma": 1.0, "snapshot_every": 50}),
)
_QUICK_PLANS = (Plan("60 drawn", 25), Plan("60 drawn", 25, is_transfer=True))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was said of a training before, and while it ran, and what it took; seconds."""

    plan: Plan
    predicted: float
    real: float
    worst_said: float

    @property
    def error(self) -> float:
        """By how much the prediction was off, as a share of what it took."""
        return abs(self.predicted / self.real - 1)


def measure(*, is_quick: bool) -> list[str]:
    """Make pictures, have the machine probed, do the trainings; print the table, return the last lines."""
    owner = User.objects.create_user("bench@example.org")
    seed_licences()
    datasets = _make_datasets(owner, is_quick=is_quick)
    if is_quick:
        _probe_at_once()
    with running("manage.py", "worker", "train"):
        if not is_quick:
            _wait_for_probes()
        outcomes = _train_all(owner, datasets, _QUICK_PLANS if is_quick else PLANS)
    print("\nTrainings, in seconds")
    print(f"  {'':70} {'foretold':>9} {'took':>7} {'error':>7}   worst said while it ran")
    for one in outcomes:
        said = f"{100 * (one.worst_said / one.real - 1):+6.1f} %"
        error = 100 * (one.predicted / one.real - 1)
        print(f"  {one.plan!s:70} {one.predicted:9.1f} {one.real:7.1f} {error:+6.1f} %   {said}")
    return _figures(outcomes)


def _figures(outcomes: Sequence[Outcome]) -> list[str]:
    worst = max(outcomes, key=lambda one: one.error)
    middle = statistics.median(one.error for one in outcomes)
    within = sum(one.error <= 0.2 for one in outcomes)
    print(f"\n{within} of {len(outcomes)} within 20 %; the median is off by {100 * middle:.1f} %")
    typical = min(outcomes, key=lambda one: abs(one.error - middle))
    return [
        ratio("estimate_error_worst", worst.predicted, worst.real, "s"),
        ratio("estimate_error_median", typical.predicted, typical.real, "s"),
    ]


def _make_datasets(owner: User, *, is_quick: bool) -> dict[str, Dataset]:
    licence = Licence.objects.get(slug="own-work")
    datasets = {"60 drawn": services.create_sample_dataset(owner=owner, family="cats", count=60)}
    if not is_quick:
        datasets["400 drawn"] = services.create_sample_dataset(owner=owner, family="faces", count=400)
        photographs = services.create_dataset(owner=owner, name="Photographs", licence=licence)
        services.state_rights(
            dataset=photographs, source_note="Made by this bench.", licence=licence, people=People.NONE
        )
        services.add_files(dataset=photographs, arrived=[_photograph(seed) for seed in range(100)])
        datasets["100 photographs"] = photographs
    with running("manage.py", "worker", "light"):
        _wait(lambda: not Job.objects.filter(queue=Queue.LIGHT).active().exists())
    for dataset in datasets.values():
        dataset.refresh_from_db()
    return datasets


def _photograph(seed: int) -> ContentFile[bytes]:
    """A JPEG of two megapixels with as much in it as a camera's."""
    rng = np.random.default_rng(seed)
    width, height = _PHOTO_SIZE
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(_PHOTO_SIZE, Image.Resampling.BICUBIC), dtype=np.float64)
    noisy = smooth + rng.normal(0.0, 8.0, (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, format="JPEG", quality=90)
    return ContentFile(buffer.getvalue(), name=f"photograph-{seed}.jpg")


def _probe_at_once() -> None:
    """Do what an idle worker does, for the small preset alone and without waiting for a quiet moment."""
    machine = register()
    threads = threads_alone(machine.cores)
    out = settings.DATA_DIR / "probe.json"
    command = [sys.executable, "-m", "engines", "probe", "--preset", "cpu64", "--threads", str(threads)]
    command += ["--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- our own interpreter and module
    speed = Speed(**json.loads(out.read_text(encoding="utf-8")))
    store_probe(machine=machine, preset="cpu64", threads=threads, speed=speed)


def _wait_for_probes() -> None:
    _wait(lambda: TrainingSpeed.objects.exists() and not missing_presets(register()))
    print("\nProbed, in seconds")
    for row in TrainingSpeed.objects.order_by("preset"):
        print(
            f"  {row.preset:10} start {row.start_seconds:5.1f}   step {row.step_seconds:6.3f}   "
            f"snapshot {row.snapshot_seconds:5.2f}   megapixel {row.picture_seconds:6.3f}"
        )


def _train_all(owner: User, datasets: Mapping[str, Dataset], plans: Sequence[Plan]) -> list[Outcome]:
    starts: dict[str, ModelVersion] = {}
    outcomes = []
    for plan in plans:
        start = starts[plan.preset] if plan.is_transfer else None
        experiment, outcome = _train(owner, plan, datasets[plan.dataset], start)
        if plan.preset not in starts:
            starts[plan.preset] = services.save_model(experiment=experiment)
        print(f"  {plan}: {outcome.predicted:.1f} s foretold, {outcome.real:.1f} s taken", flush=True)
        outcomes.append(outcome)
    return outcomes


def _train(
    owner: User, plan: Plan, dataset: Dataset, start: ModelVersion | None
) -> tuple[Experiment, Outcome]:
    preset, chosen = choose_preset(start, plan.preset)
    planned = Experiment(
        starting_point=start,
        preset=preset,
        resolution=chosen.architecture.resolution,
        steps=plan.steps,
        settings=dict(plan.settings),
    )
    predicted = estimate_training(user=owner, planned=planned, dataset=dataset).seconds
    assert predicted is not None
    experiment = services.start_experiment(
        owner=owner,
        dataset=dataset,
        starting_point=start,
        steps=plan.steps,
        mirror=plan.mirror,
        settings=plan.settings,
        preset=plan.preset,
    )
    said = _watch(experiment.job)
    job = Job.objects.get(pk=experiment.job_id)
    assert job.state == State.SUCCEEDED, job.error
    assert job.started_at is not None
    assert job.finished_at is not None
    real = (job.finished_at - job.started_at).total_seconds()
    worst = max(said, key=lambda seconds: abs(seconds - real), default=real)
    return experiment, Outcome(plan=plan, predicted=predicted, real=real, worst_said=worst)


def _watch(job: Job) -> list[float]:
    """Wait for the end. Return how long, in all, the page said that it would take, every second."""
    said: list[float] = []

    def has_ended() -> bool:
        job.refresh_from_db()
        eta = read_progress(job).eta_seconds if job.state == State.RUNNING else None
        if eta is not None and job.started_at is not None:
            said.append((timezone.now() - job.started_at).total_seconds() + eta)
        return not job.is_active

    _wait(has_ended)
    return said


def _wait(condition: Callable[[], bool]) -> None:
    """Look every second. Raises TimeoutError after a while."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"See the logs in {settings.DATA_DIR}")
        time.sleep(1)
