"""Projections: ordering the search for the point that shows a photograph best, and what came of it."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Sum
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing.selectors import Quote, quote_price
from catalog.generators import Network
from catalog.models import ModelVersion
from catalog.registry import room_refusal
from engines.stylegan.projecting import ProjectConfig
from generation.exceptions import PointRefusedError, TooManyWaitingError
from generation.models import Projection
from jobs.fairness import lock_line
from jobs.files import list_keys
from jobs.models import Job
from jobs.selectors import active_jobs
from jobs.services import submit_job

JOB_KIND = "generation.project"
# The row of the price list: so many credits for so many steps of a search.
PRICE_CODE = "projection"
PREFIX = "projections"
# By how near they are expected to be, the farthest first; what each means to people.
FIGURES: dict[str, Promise] = {
    "unrelated": _("Any picture of the model, on average"),
    "best_random": _("The nearest of 128 random ones"),
    "reached": _("This projection"),
    "floor": _("A picture of the model's own, projected the same way"),
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """How near something comes to the photograph; `share` from 0 to 100 is its bar, 100 for the farthest."""

    name: str
    title: Promise
    distance: float
    grey_levels: float
    share: int


def max_waiting() -> int:
    """Return how many projections one person may have under way: the setting PROJECTIONS_WAITING_MAX."""
    return int(getattr(settings, "PROJECTIONS_WAITING_MAX", 3))


def quote_projection(steps: int) -> Quote:
    """Return what so many steps of a search cost now."""
    return quote_price(PRICE_CODE, steps)


def slice_end(job: Job) -> int:
    """Return the step up to which a projection is paid: its last one. Part of its kind (`jobs.registry`)."""
    return int(Projection.objects.values_list("settings__steps", flat=True).get(job=job))


def start_projection(
    *, owner: User, network: Network, target: bytes, title: str, config: ProjectConfig
) -> Projection:
    """Order the search for the point of a version that shows a picture best.

    Effect: stores `target`, a square PNG of the model's size; inserts the projection and its job, which waits
    in the generate queue, and holds its credits, in one transaction. Steps that are done are charged. Raises
    PointRefusedError where the owner's storage is full, TooManyWaitingError, CreditsShort and AccountBlocked,
    and has stored nothing then.
    """
    if refusal := room_refusal(owner, len(target)):
        raise PointRefusedError(refusal)
    stored = default_storage.save(f"{PREFIX}/{uuid.uuid4()}/target.png", ContentFile(target))
    try:
        return _insert(owner, network, stored, title, config)
    except BaseException:
        default_storage.delete(stored)
        raise


@transaction.atomic
def _insert(owner: User, network: Network, stored: str, title: str, config: ProjectConfig) -> Projection:
    lock_line(owner.pk)  # two orders at once are counted one after the other
    if active_jobs(owner).filter(kind=JOB_KIND).count() >= max_waiting():
        told = _now("You have %(count)d projections under way. Wait until one is done, or stop one.")
        raise TooManyWaitingError(told % {"count": max_waiting()})
    job = submit_job(
        owner=owner,
        kind=JOB_KIND,
        label=_now("A photograph in %(model)s") % {"model": network.title},
        total=config.steps,
        quote=quote_projection(config.steps),
    )
    projection: Projection = Projection.objects.create(
        owner=owner,
        job=job,
        version=network.version,
        model_title=network.title,
        title=title[:80],
        target=stored,
        settings=asdict(config),
        size_bytes=default_storage.size(stored),
    )
    return projection


def config_of(projection: Projection) -> ProjectConfig:
    """Return what decides a projection."""
    return ProjectConfig(**projection.settings)


def known_floor(version: ModelVersion, values: dict[str, Any]) -> dict[str, float] | None:
    """Return the floor that another projection with the same settings has measured in this version."""
    measured = Projection.objects.filter(version=version, settings=values, figures__has_key="floor")
    figures = measured.values_list("figures", flat=True).first()
    return figures["floor"] if figures else None


def figures_of(projection: Projection) -> list[Figure]:
    """Return how near the search came, and what to compare that with, the farthest first."""
    known = projection.figures
    most = max((known[name]["distance"] for name in FIGURES if name in known), default=0.0) or 1.0
    return [
        Figure(
            name=name,
            title=title,
            distance=known[name]["distance"],
            grey_levels=known[name]["grey_levels"],
            share=round(100 * known[name]["distance"] / most),
        )
        for name, title in FIGURES.items()
        if name in known
    ]


def verdict_of(projection: Projection) -> str:
    """Say in a sentence how near the search came; "" before it is known."""
    known = projection.figures
    if "reached" not in known:
        return ""
    reached, random = known["reached"]["distance"], known["best_random"]["distance"]
    if "floor" in known and reached <= 1.5 * known["floor"]["distance"]:
        return _now("The model can show it nearly as well as a picture of its own.")
    if reached < 0.6 * random:
        return _now("Clearly nearer than any of 128 random pictures, but the model cannot show all of it.")
    if reached < random:
        return _now("Somewhat nearer than chance: the model has seen little like it.")
    return _now("No nearer than chance: the model does not know such pictures.")


@transaction.atomic
def delete_projection(*, projection: Projection) -> None:
    """Delete a projection that has ended and, once that is committed, its files. What it found stays pinned.

    Raises PointRefusedError while it goes on.
    """
    if projection.job.is_active:
        raise PointRefusedError(_now("This is still searching. Stop it first, then delete it."))
    files = list(_files(projection))
    projection.delete()
    for key in files:
        transaction.on_commit(partial(default_storage.delete, key))


def bytes_of(user: User) -> int:
    """Return how much room the user's projections take. One query."""
    total = Projection.objects.owned_by(user).aggregate(total=Sum("size_bytes", default=0))["total"]
    return int(total)


def _files(projection: Projection) -> Iterator[str]:
    yield projection.target
    yield from (step["file"] for step in projection.steps)
    if projection.state_file:
        yield from list_keys(projection.state_file)


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `projections/` and `jobs/` that a projection needs."""
    jobs = {key.split("/")[1] for key in keys if key.startswith("jobs/")}
    shown = set(Projection.objects.filter(target__in=keys).values_list("target", flat=True))
    kept = Projection.objects.filter(job__in=[job for job in jobs if _is_uuid(job)])
    for steps, state in kept.values_list("steps", "state_file"):
        shown.update(step["file"] for step in steps)
        shown.update(key for key in keys if state and key.startswith(f"{state}/"))
    return shown & set(keys)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
