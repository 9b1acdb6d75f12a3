"""What the home page shows of somebody's studio."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import ModelRun
from engines.starters.drawings import FAMILIES
from generation.models import Generation, Picture
from jobs.models import ACTIVE_STATES, Job
from jobs.progress import Progress, read_progress
from jobs.revisions import combined_revision
from training.models import RUN_MODELS, Dataset, Upload

_LATEST_PICTURES = 12
_WORKS_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Work:
    """A job under way, as a line of the home page. `picture` is the address of what it made so far."""

    job: Job
    progress: Progress
    title: str
    url: str
    picture: str = ""

    @property
    def doing(self) -> str:
        """What happens now, or what is waited for."""
        if self.progress.is_queue_away:
            return _("Starts when the queue is back")
        place = self.progress.queue_position
        if place == 0:
            return _("Waits until another of yours ends")
        if place:
            return _("Number %(place)d in the queue") % {"place": place}
        return self.progress.message or str(self.job.label)


def home_context(user: User) -> dict[str, Any]:
    """Return what the home page shows; `rev` changes whenever something of it does."""
    if not any(model.objects.owned_by(user).exists() for model in (Dataset, *RUN_MODELS, Generation)):
        # What shows most quickly what a training does comes first.
        samples = sorted(FAMILIES.values(), key=lambda family: family.sample_count)
        return {"is_new": True, "samples": samples, "rev": "new"}
    works = works_under_way(user)
    pictures = list(Picture.objects.owned_by(user)[:_LATEST_PICTURES])
    shown = [(work.job.pk, work.progress.rev) for work in works]
    rev = combined_revision([*shown, *(picture.pk for picture in pictures)])
    return {"works": works, "pictures": pictures, "rev": rev}


def works_under_way(user: User) -> list[Work]:
    """Return trainings, orders of pictures, runs of models, datasets being filled: the newest first."""
    works = [*_trainings(user), *_orders(user), *_runs(user), *_fillings(user)]
    return sorted(works, key=lambda work: work.job.created_at, reverse=True)[:_WORKS_SHOWN]


def _trainings(user: User) -> Iterator[Work]:
    for model in RUN_MODELS:
        active = model.objects.owned_by(user).filter(job__state__in=ACTIVE_STATES)
        for training in active.select_related("job"):
            latest = training.snapshots.order_by("-step").first()
            yield Work(
                job=training.job,
                progress=read_progress(training.job),
                title=training.name,
                url=training.get_absolute_url(),
                picture=latest.grid_url if latest else "",
            )


def _orders(user: User) -> Iterator[Work]:
    orders = Generation.objects.owned_by(user).filter(job__state__in=ACTIVE_STATES)
    for order in orders.select_related("job"):
        url = reverse("generation:generation_detail", args=[order.pk])
        yield Work(job=order.job, progress=read_progress(order.job), title=order.job.label, url=url)


def _runs(user: User) -> Iterator[Work]:
    runs = ModelRun.objects.owned_by(user).filter(job__state__in=ACTIVE_STATES)
    for run in runs.select_related("job"):
        url = reverse("catalog:run_detail", args=[run.pk])
        yield Work(job=run.job, progress=read_progress(run.job), title=run.title, url=url)


def _fillings(user: User) -> Iterator[Work]:
    uploads = Upload.objects.filter(dataset__owner=user, job__state__in=ACTIVE_STATES)
    for upload in uploads.select_related("job", "dataset"):
        if upload.job is not None:
            url = reverse("training:dataset_detail", args=[upload.dataset_id])
            progress = read_progress(upload.job)
            yield Work(job=upload.job, progress=progress, title=upload.dataset.name, url=url)
