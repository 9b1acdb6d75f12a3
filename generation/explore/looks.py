"""Asking for pictures that a page wants to show now: tiles of a map, points, frames of a walk.

A page asks, gets the key of each picture, and asks again for those that were not there yet. What is made is
kept (`generation.explore.cache`), so most of what is asked is there at once. For the rest there is one `Look`
for each page of a person's (`slot`): who looks on replaces what is still waiting. Its job costs nothing and
takes no turns; it is done in the order of arrival, some hundred pictures at a time, and gone when it is done.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.generators import Network
from catalog.services.seed import PUBLISHER_HANDLE, ensure_publisher
from engines.stylegan.points import LatentMap, Point, Tile, Vector
from generation.exceptions import LookRefusedError, LooksBusyError
from generation.explore.cache import find_made, read_values
from generation.explore.points import why_not_shown
from generation.explore.wanted import (
    Sheet,
    sheet_of_frames,
    sheet_of_points,
    sheet_of_tiles,
    sheet_of_values,
)
from generation.models import Look
from jobs.fairness import lock_line
from jobs.models import Job, State
from jobs.services import forget_job, submit_job

JOB_KIND = "generation.look"
# So many pictures one look may want; a large screen shows half as many.
MAX_WANTED = 256
# So many looks of visitors are worked on or wait; beyond it they are asked to wait, for a few seconds.
MAX_VISITORS = 4
# After a failure the same page is told of it for so long, instead of failing again at every request.
_FAILURE_TOLD = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What has come of asking.

    Attributes:
        keys: of what was asked for, in order.
        made: those whose pictures are there.
        problem: why the others will not come, in a sentence; "" where they will.
        waits: whether no worker has begun with them yet.
    """

    keys: list[str]
    made: set[str]
    problem: str = ""
    waits: bool = False


def ask_looks(*, owner: User, network: Network, points: Sequence[Point], slot: str = "points") -> list[str]:
    """Have pictures of points made soon. Return the keys under which they come, in order.

    Effect and errors as `ask_sheets`; raises LookRefusedError for a point that the network cannot show, too.
    """
    for point in points:
        check_shown(network, point)
    sheet = sheet_of_points(network.key, network.sha256, points)
    return ask_sheets(owner=owner, slot=slot, sheets=[sheet]).keys


def ask_walk_looks(
    *, owner: User, network: Network, walk: Mapping[str, Any], frames: Sequence[int], slot: str = "walk"
) -> list[str]:
    """Have frames of a walk made soon. Return the keys under which they come, in order.

    `walk` holds the fields of `engines.stylegan.walk.Walk`, its points as JSON; the caller has checked it.
    Effect and errors as `ask_sheets`.
    """
    sheet = sheet_of_frames(network.key, network.sha256, walk, frames)
    return ask_sheets(owner=owner, slot=slot, sheets=[sheet]).keys


def ask_values(
    *, owner: User, networks: Sequence[Network], point: Point, slot: str, admit: Callable[[], bool]
) -> tuple[Vector | None, Answer]:
    """Have the values of w at a point told soon; they are returned as soon as they are there.

    They are of that one of the networks whose values all of them take. Effect and errors as `ask_sheets`;
    raises LookRefusedError where there is none such, too.
    """
    for network in networks:
        check_shown(network, point)
    shared = [one for one in networks if all(one.sha256 in other.accepted for other in networks)]
    if not shared:
        raise LookRefusedError(_("The two are not relatives: a place of one means nothing in the other."))
    sheet = sheet_of_values(shared[0].key, shared[0].sha256, [point])
    answer = ask_sheets(owner=owner, slot=slot, sheets=[sheet], admit=admit)
    (key,) = answer.keys
    return (read_values(shared[0].sha256, key) if answer.made else None), answer


def tiles_of(network: Network, latent_map: LatentMap, tiles: Sequence[Tile]) -> Sheet:
    """Return the tiles of a map as a sheet to ask for. Raises LookRefusedError where it cannot be shown."""
    check_shown(network, latent_map)
    return sheet_of_tiles(network.key, network.sha256, latent_map, tiles)


def ask_sheets(
    *,
    owner: User,
    slot: str,
    sheets: Sequence[Sheet],
    again: bool = False,
    admit: Callable[[], bool] | None = None,
) -> Answer:
    """Have the pictures of sheets made soon, and say which are there already.

    Effect: what is not there replaces what the owner's `slot` still waited for; without a look there, a job
    is submitted, which costs nothing. Transaction: its own.

    Args:
        owner: whose look it is.
        slot: which page's of theirs.
        sheets: what to show, the first first.
        again: whether to try again where it failed a moment ago.
        admit: asked before anything is made that the slot did not wait for; False: that is too much now.

    Raises LookRefusedError for more than MAX_WANTED pictures, LooksBusyError where it was not admitted.
    """
    keys = [key for sheet in sheets for key in sheet.keys]
    if len(keys) > MAX_WANTED:
        told = _("At most %(count)d pictures can be asked for at once. Show fewer of them, then go on.")
        raise LookRefusedError(told % {"count": MAX_WANTED})
    made = made_of(sheets)
    missing = [sheet.part([item for item in sheet.items if item[0] not in made]) for sheet in sheets]
    missing = [sheet for sheet in missing if sheet.items]
    if missing and admit is not None and not _waits_for(owner, slot, missing) and not admit():
        raise LooksBusyError(_("That was a lot to look at in so short a time. Go on in a minute."))
    job = _want(owner, slot, missing, again=again)
    if job is None:
        return Answer(keys=keys, made=made)
    problem = job.error if job.state == State.FAILED else ""
    return Answer(keys=keys, made=made, problem=problem, waits=job.state == State.QUEUED)


def made_of(sheets: Iterable[Sheet]) -> set[str]:
    """Return the keys of those pictures that are there. A query for each generator."""
    by_generator: dict[str, list[str]] = {}
    for sheet in sheets:
        by_generator.setdefault(sheet.sha256, []).extend(sheet.keys)
    return set().union(*(find_made(sha256, keys) for sha256, keys in by_generator.items()))


def visitors_account() -> User:
    """Return the studio's own account, in whose name is made what visitors look at.

    Raises LooksBusyError where as many of them look on as are served at once.
    """
    house = User.objects.filter(handle=PUBLISHER_HANDLE).first() or ensure_publisher()
    # One that wants nothing any more only waits to be cleared away.
    looks = Look.objects.filter(owner=house, job__state__in=(State.QUEUED, State.RUNNING)).exclude(wanted=[])
    if looks.count() >= MAX_VISITORS:
        raise LooksBusyError(_("Many people look at maps just now. The pictures come in a moment."))
    return house


def look_url(network: Network, key: str) -> str:
    """Return the address of a picture; until it is made, there is none (404 with Retry-After)."""
    if network.version is None:
        return reverse("generation:network_look", args=[network.key, key])
    model = network.version.model
    number = network.version.number
    return reverse("generation:look", args=[model.owner.handle, model.name, number, key])


def check_shown(network: Network, whole: Point | LatentMap) -> None:
    """Raise LookRefusedError where a network cannot show a point or a map, with the plain reason."""
    if refusal := why_not_shown(whole, network):
        raise LookRefusedError(refusal)


def note_end(job: Job) -> None:
    """Remove a look whose job has ended, and the job with it; a failed one stays to say why.

    Called in the transaction in which the job ends.
    """
    if job.state != State.FAILED:
        Look.objects.filter(job=job).delete()
        forget_job(job)


def forget_failures() -> None:
    """Remove looks that failed a while ago, with their jobs; a chore."""
    for look in Look.objects.select_related("job").filter(job__state=State.FAILED):
        if look.job.finished_at is None or look.job.finished_at < timezone.now() - _FAILURE_TOLD:
            _forget(look)


def _waits_for(owner: User, slot: str, sheets: Sequence[Sheet]) -> bool:
    """Whether a slot waits for all these pictures already."""
    look = Look.objects.filter(owner=owner, slot=slot).first()
    waiting = {key for sheet in (look.wanted if look else []) for key, _what in sheet["items"]}
    return all(waiting.issuperset(sheet.keys) for sheet in sheets)


@transaction.atomic
def _want(owner: User, slot: str, sheets: Sequence[Sheet], *, again: bool) -> Job | None:
    """Put `sheets` in the place of what a slot still waited for. Return its job, None where there is none."""
    look = _lock_look(owner, slot)
    if look is not None and _is_over(look, again=again):
        _forget(look)
        look = None
    if look is not None:
        look.wanted = [sheet.as_json() for sheet in sheets]
        look.save(update_fields=["wanted"])
        return look.job
    if not sheets:
        return None
    # Two requests of the same page at once: the second one finds the first one's look when it asks again.
    lock_line(owner.pk)
    if Look.objects.filter(owner=owner, slot=slot).exists():
        return None
    job = submit_job(owner=owner, kind=JOB_KIND, label=_("Pictures to look at"))
    Look.objects.create(owner=owner, slot=slot, job=job, wanted=[sheet.as_json() for sheet in sheets])
    return job


def _lock_look(owner: User, slot: str) -> Look | None:
    looks = Look.objects.select_for_update(of=("self",)).select_related("job")
    found: Look | None = looks.filter(owner=owner, slot=slot).first()
    return found


def _is_over(look: Look, *, again: bool) -> bool:
    """Whether a look has failed, and that has been told for long enough, or is to be tried again."""
    job = look.job
    if job.state != State.FAILED:
        return False
    return again or job.finished_at is None or job.finished_at < timezone.now() - _FAILURE_TOLD


def _forget(look: Look) -> None:
    look.delete()
    forget_job(look.job)
