"""The main job on a first start, for the demo account: sample pictures, a training, a model, 16 images.

Everything is asked for through the same services as on the pages, and what stands in the database says how
far it is: killed at any moment, it goes on at the next start. It never does anything twice, and does not
insist: when its owner stops or deletes a part, it ends there.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from django.urls import reverse

from accounts.models import User
from billing.exceptions import BillingError
from catalog.models import ModelVersion
from catalog.selectors import starting_points
from engines.progress import Progress, TerminalHost
from generation.models import Generation
from generation.services import start_generation
from jobs.models import Job, State
from jobs.progress import read_progress
from training.models import Dataset, Experiment
from training.services import create_sample_dataset, save_model, start_experiment

SAMPLE_FAMILY = "cats"
STARTER = "emoji-people"  # heads from the front, as the cats are
STEPS = 800
IMAGES = 16
TRUNCATION_PSI = 0.8
# The file in the data directory that says that it was done.
MARKER = "first-run-done"
_LOOK_SECONDS = 0.5


class FirstRunEnded(Exception):
    """The main job does not go on; the message says why and what its owner can do."""


class FirstRun:
    """The main job of one user. `site` is the studio's address, for the links that are printed."""

    def __init__(self, user: User, *, site: str, stream: TextIO = sys.stdout) -> None:
        self._user = user
        self._site = site.rstrip("/")
        self._stream = stream

    def run(self) -> None:
        """Go through the whole line from wherever it stands. Raises FirstRunEnded."""
        try:
            self._run()
        except BillingError as error:
            raise FirstRunEnded(f"{error} You can go on in the studio: {self._site}/") from error

    def _run(self) -> None:
        started = time.monotonic()
        dataset = self._pictures()
        experiment = self._training(dataset)
        version = self._model(experiment)
        generation = self._images(version)
        minutes, seconds = divmod(round(time.monotonic() - started), 60)
        self._say(
            f"The first {generation.count} images of a model of your own, after {minutes} min {seconds} s:"
        )
        self._say_link("Images", reverse("generation:generation_detail", args=[generation.pk]))
        self._say_link("Training", reverse("training:experiment_detail", args=[experiment.pk]))

    def _pictures(self) -> Dataset:
        dataset = create_sample_dataset(owner=self._user, family=SAMPLE_FAMILY)
        job = Job.objects.filter(upload__dataset=dataset).order_by("created_at").first()
        if job is not None:
            self._wait(job, f"Drawing the sample dataset “{dataset.name}”")
        return dataset

    def _training(self, dataset: Dataset) -> Experiment:
        starter = self._starter()
        experiment = (
            Experiment.objects.owned_by(self._user)
            .filter(dataset_version__dataset=dataset, starting_point__model=starter.model)
            .order_by("created_at")
            .first()
        )
        if experiment is None:
            experiment = start_experiment(
                owner=self._user, dataset=dataset, starting_point=starter, steps=STEPS
            )
        self._say_link("Watch it learn", reverse("training:experiment_detail", args=[experiment.pk]))
        self._wait(experiment.job, f"Training “{experiment.name}”")
        return experiment

    def _starter(self) -> ModelVersion:
        starter = starting_points(self._user).filter(model__is_starter=True, model__name=STARTER).first()
        if starter is None:
            raise FirstRunEnded("No starting point is installed. Run `make doctor`.")
        return starter

    def _model(self, experiment: Experiment) -> ModelVersion:
        version = experiment.saved_model.latest_version if experiment.saved_model else None
        return version or save_model(experiment=experiment)

    def _images(self, version: ModelVersion) -> Generation:
        generation = (
            Generation.objects.owned_by(self._user)
            .filter(model_version__model=version.model)
            .order_by("created_at")
            .first()
        )
        if generation is None:
            generation = start_generation(
                owner=self._user, version=version, seeds=range(IMAGES), truncation_psi=TRUNCATION_PSI
            )
        self._wait(generation.job, f"Making {generation.count} images")
        return generation

    def _wait(self, job: Job, title: str) -> None:
        """Show a job's progress until it ends. Raises FirstRunEnded unless it ends well."""
        if job.state != State.SUCCEEDED:
            self._say(title)
            bar = TerminalHost(self._stream)
            while job.is_active:
                self._show(bar, job)
                time.sleep(_LOOK_SECONDS)
                self._refresh(job)
            self._say("")
        if job.state != State.SUCCEEDED:
            outcome = f"{title}: {job.get_state_display().lower()}. {job.error}".strip()
            raise FirstRunEnded(f"{outcome} You can go on in the studio: {self._site}/")

    def _show(self, bar: TerminalHost, job: Job) -> None:
        known = read_progress(job)
        if known.total and known.step < known.total:
            bar.progress(Progress(step=known.step, total=known.total, eta_seconds=known.eta_seconds))

    def _refresh(self, job: Job) -> None:
        try:
            job.refresh_from_db()
        except Job.DoesNotExist as error:
            raise FirstRunEnded(f"It was deleted. You can go on in the studio: {self._site}/") from error

    def _say_link(self, title: str, path: str) -> None:
        self._say(f"  {title}: {self._site}{path}")

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def run_once(user: User, *, site: str, marker: Path, say: Callable[[str], None]) -> None:
    """Run the main job unless it has run in this data directory; `marker` is the file that remembers."""
    if marker.exists():
        return
    try:
        FirstRun(user, site=site).run()
    except FirstRunEnded as ended:
        say(str(ended))
    marker.touch(mode=0o600)
