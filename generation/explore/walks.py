"""Walks from point to point: previewed for nothing, then ordered as a film, an animation or PNG files."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from billing.selectors import Quote, quote_price
from catalog.generators import Network
from catalog.models import CatalogModel
from catalog.registry import Dependents, register_dependents, register_stored, room_refusal
from engines.errors import ConfigError
from engines.stylegan.walking import MAX_GIF_FRAMES, Walk
from generation.exceptions import TooManyWaitingError, WalkRefusedError
from generation.explore.points import why_not_shown
from generation.explore.walk_frames import FOLDER as FRAMES
from generation.models import SavedPoint
from generation.models import Walk as WalkRow
from jobs.models import ACTIVE_STATES, Queue
from jobs.registry import JobKind, register
from jobs.selectors import active_jobs
from jobs.services import submit_job
from jobs.sweeps import StoredFiles, register_files

JOB_KIND = "generation.walk"
# The row of the price list: so many credits for so many frames.
PRICE_CODE = "walk"
# Walks of one person that wait or are made at the same time.
MAX_WAITING = 5
BETWEEN = "."  # points in an address
FORMATS: dict[str, str | Promise] = {
    "mp4": gettext_lazy("Film (MP4)"),
    "gif": gettext_lazy("Animation (GIF)"),
    "zip": gettext_lazy("Pictures (PNG in a ZIP)"),
}
CONTENT_TYPES = {"mp4": "video/mp4", "gif": "image/gif", "zip": "application/zip"}
# Frames of a preview, by the side of the pictures: larger ones take longer.
_PREVIEW_FRAMES = ((64, 120), (128, 72), (256, 36), (1024, 16))


def register_walks() -> None:
    """Tell the floors below of the kind of job, its files, and what of walks depends on models."""
    register(
        JobKind(
            name=JOB_KIND,
            queue=Queue.GENERATE,
            handler="generation.explore.walk_jobs.make_walk",
            title=gettext_lazy("Making a film of a walk"),
        )
    )
    register_files(StoredFiles(name="walks", prefix="jobs", in_use=keys_in_use))
    register_dependents(Dependents(name="walks", describe=describe_walks))
    register_stored("walks", bytes_of)


def quote_walk(frames: int) -> Quote:
    """Return what a walk of so many frames costs now."""
    return quote_price(PRICE_CODE, frames)


def preview_of(walk: Walk, resolution: int) -> Walk:
    """Return the same way with so few frames that they can be shown at once, whatever its pace.

    Walks that differ only in seconds and frames a second have the same preview.
    """
    most = next((count for side, count in _PREVIEW_FRAMES if resolution <= side), _PREVIEW_FRAMES[-1][1])
    legs = len(walk.points) if walk.loop else len(walk.points) - 1
    return replace(walk, seconds=1.0, fps=max(2, min(24, most // legs)))


def judge_walk(walk: Walk, network: Network) -> None:
    """Raise WalkRefusedError where a network cannot show one of a walk's points."""
    for point in walk.points:
        refusal = why_not_shown(point, network)
        if refusal:
            raise WalkRefusedError(refusal)


def judge_format(walk: Walk, file_format: str) -> None:
    """Raise WalkRefusedError where a walk has more frames than a file of this format may have."""
    if file_format != "gif":
        return
    try:
        walk.check_frames(MAX_GIF_FRAMES)
    except ConfigError as error:
        raise WalkRefusedError(_("%(reason)s Or choose a film.") % {"reason": error}) from error


@transaction.atomic
def start_walk(*, owner: User, network: Network, walk: Walk, file_format: str, title: str = "") -> WalkRow:
    """Order a walk through a model that the owner may see.

    Effect: inserts the walk and its job, which waits in the generate queue, and holds its credits, in one
    transaction. They are charged once the file is there, and come back where none is made.
    Raises WalkRefusedError, TooManyWaitingError, CreditsShort and AccountBlocked.
    """
    if network.version is None:
        raise WalkRefusedError(_("Save this as a model first: walks are made with models."))
    judge_walk(walk, network)
    judge_format(walk, file_format)
    _admit(owner)
    title = title.strip()[:80] or default_title(walk)
    job = submit_job(
        owner=owner,
        kind=JOB_KIND,
        label=_("%(title)s in %(model)s") % {"title": title, "model": network.title},
        total=walk.frames,
        quote=quote_walk(walk.frames),
    )
    return WalkRow.objects.create(
        owner=owner,
        job=job,
        version=network.version,
        model_title=network.title,
        title=title,
        settings=walk.as_json(),
        format=file_format,
    )


def _admit(owner: User) -> None:
    refusal = room_refusal(owner, 0)
    if refusal:
        raise WalkRefusedError(refusal)
    # Two orders at once are counted one after the other. Not a full lock: rows that name the user may come.
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if active_jobs(owner).filter(kind=JOB_KIND).count() >= MAX_WAITING:
        told = _("You have %(count)d walks waiting. Wait until one is done, or stop one, then try again.")
        raise TooManyWaitingError(told % {"count": MAX_WAITING})


def default_title(walk: Walk) -> str:
    """What a walk is called when nobody said."""
    return _("Walk through %(count)d points") % {"count": len(walk.points)}


def share_walk(*, walk: WalkRow, is_shared: bool) -> None:
    """Let whoever has a walk's address open it, as far as its model is everybody's; or no longer."""
    walk.is_shared = is_shared
    walk.save(update_fields=["is_shared"])


@transaction.atomic
def delete_walk(*, walk: WalkRow) -> None:
    """Delete a walk that has ended and, once that is committed, its files. Its receipt stays.

    Raises WalkRefusedError while it is made.
    """
    if walk.job.is_active:
        raise WalkRefusedError(_("This is still being made. Stop it first, then delete it."))
    walk.delete()
    for key in filter(None, (walk.file, walk.poster)):
        transaction.on_commit(partial(default_storage.delete, key))


def walks_shown_to(user: User | AnonymousUser) -> QuerySet[WalkRow]:
    """Keep the user's own walks, and the shared ones through models that the user may open."""
    models = CatalogModel.objects.reachable_by(user).values("pk")
    shown = Q(is_shared=True, version__model__in=models) & ~Q(file="")
    return WalkRow.objects.filter(shown | Q(owner=user) if user.is_authenticated else shown)


def can_be_shared(walk: WalkRow) -> bool:
    """Whether others may open a walk's address: its model is everybody's."""
    if walk.version is None:
        return False
    return CatalogModel.objects.reachable_by(AnonymousUser()).filter(pk=walk.version.model_id).exists()


def file_name(walk: WalkRow) -> str:
    """Return the name under which a walk's file is saved."""
    return f"walk-{walk.pk.hex[:8]}.{walk.format}"


def way_of(points: Iterable[SavedPoint]) -> str:
    """Return points in their order as an address holds them: short enough for a hundred."""
    return BETWEEN.join(point.pk.hex for point in points)


def change_order(order: Sequence[uuid.UUID], change: str) -> list[uuid.UUID]:
    """Return the order of points after a change that a button asks for; what makes no sense changes nothing.

    `change`: "add:<point>", or "up", "down" or "drop" with a place from 0, as in "up:2".
    """
    changed = list(order)
    verb, _colon, what = change.partition(":")
    if verb == "add":
        return [*changed, *as_ids([what])]
    place = int(what) if what.isdecimal() and len(what) < 4 else len(changed)
    if place >= len(changed):
        return changed
    if verb == "drop":
        del changed[place]
    elif verb in {"up", "down"}:
        other = place - 1 if verb == "up" else place + 1
        if 0 <= other < len(changed):
            changed[place], changed[other] = changed[other], changed[place]
    return changed


def as_ids(texts: Sequence[str]) -> list[uuid.UUID]:
    """Read the numbers of points from whomever; what is none is left out."""
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `jobs/` that hold a walk, its poster, or frames of one under way."""
    rows = WalkRow.objects.filter(Q(file__in=keys) | Q(poster__in=keys))
    used = {key for pair in rows.values_list("file", "poster") for key in pair} & set(keys)
    frames = [key for key in keys if f"/{FRAMES}/" in key]
    jobs = set(as_ids([key.split("/")[1] for key in frames]))
    active = WalkRow.objects.filter(job__in=jobs, job__state__in=ACTIVE_STATES)
    going_on = set(map(str, active.values_list("job", flat=True)))
    return used | {key for key in frames if key.split("/")[1] in going_on}


def bytes_of(user: User) -> int:
    """Return how much room the user's walks take. One query."""
    total = WalkRow.objects.owned_by(user).aggregate(total=Sum("size_bytes", default=0))["total"]
    return int(total)


def describe_walks(model: CatalogModel) -> str:
    """Return how many walks go through any version of a model, and what becomes of them."""
    count = WalkRow.objects.filter(version__model=model).count()
    if not count:
        return ""
    sentence = ngettext(
        "%(count)d walk goes through it. It stays, but cannot be made again.",
        "%(count)d walks go through it. They stay, but cannot be made again.",
        count,
    )
    return sentence % {"count": count}
