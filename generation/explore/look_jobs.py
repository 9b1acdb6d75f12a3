"""Making the pictures of looks, in a generate worker. Imports torch, so no web process may import it."""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import torch
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.exceptions import BrokenModelError
from catalog.generators import Network, find_network, network_folder
from engines.errors import EngineError
from engines.images import UInt8Array
from engines.progress import Control
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import Tile, Vector, parse_map, parse_point
from engines.stylegan.walk import walk_latents
from engines.stylegan.walking import Walk
from generation.explore.cache import find_made, store_pictures, store_values
from generation.explore.wanted import Sheet
from generation.models import Look
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.models import State

logger = logging.getLogger(__name__)

# The first ones come alone, so that something is seen soon; then as many as make full use of the processor.
FIRST_BATCH, BATCH = 4, 16
# After so long others have their turn; the page asks again for what is not there.
MAX_SECONDS = 3.0


@dataclass(frozen=True)
class Space:
    """A latent space with the weights it is of, kept warm between looks."""

    latent: LatentSpace
    nbytes: int


def make_looks(context: JobContext) -> Outcome:
    """Make what a look wants, batch by batch, until nothing is wanted any more or others wait for their turn.

    Between batches the page may have replaced what it wants. Pictures are stored as they are made.
    """
    torch.set_num_threads(context.threads)
    until = time.monotonic() + MAX_SECONDS
    size = FIRST_BATCH
    while time.monotonic() < until and (sheet := _take(context, size)) is not None:
        if context.control() is Control.STOP:
            return Outcome(state="stopped")
        _make(sheet)
        size = BATCH
    return Outcome()


def _take(context: JobContext, count: int) -> Sheet | None:
    """Take the first pictures of what is wanted; None where nothing is left, and the look goes with that.

    Where several networks are looked at beside each other they come in turns.
    """
    with context.fenced():
        look = Look.objects.select_for_update().filter(job_id=context.job_id).first()
        if look is None:
            return None
        if not look.wanted:
            look.delete()  # under the lock: whoever asks from now on submits another job
            return None
        return _cut(look, count)


def _cut(look: Look, count: int) -> Sheet:
    """Take the first pictures out of what a look, which is locked, wants."""
    sheet, *others = map(Sheet.from_json, look.wanted)
    rest = sheet.part(sheet.items[count:])
    look.wanted = [one.as_json() for one in (*others, rest) if one.items]
    look.save(update_fields=["wanted"])
    return sheet.part(sheet.items[:count])


class Between:
    """Lets the looks that wait have their pictures while the same worker is busy with long work.

    Their jobs keep waiting for a worker; they find nothing left to do then.
    """

    def __init__(self) -> None:
        self._turns: Counter[UUID] = Counter()

    def serve(self) -> None:
        """Make one batch of what a look wants, if any waits: call it after each step of the long work.

        So that goes on however much is looked at. What cannot be made is left to the look's own job, which
        says why. Costs a query where none waits.
        """
        sheet = self._take()
        if sheet is None:
            return
        try:
            _make(sheet)
        except Exception:  # the long work goes on, whatever becomes of a map
            logger.warning("pictures of %s could not be made between steps", sheet.network, exc_info=True)

    @transaction.atomic
    def _take(self) -> Sheet | None:
        """Take a batch of the look that had the fewest so far, of these the oldest; None where none waits."""
        waiting = Look.objects.filter(job__state=State.QUEUED).exclude(wanted=[]).order_by("created_at")
        number = min(waiting.values_list("pk", flat=True), key=self._turns.__getitem__, default=None)
        look = waiting.select_for_update(of=("self",), skip_locked=True).filter(pk=number).first()
        if look is None:
            return None
        self._turns[look.pk] += 1
        return _cut(look, BATCH if self._turns[look.pk] > 1 else FIRST_BATCH)


def _make(sheet: Sheet) -> None:
    """Make and store the pictures of a sheet that nobody has made meanwhile. Raises JobError."""
    network = find_network(sheet.network, None)
    if network is None:
        return  # deleted meanwhile
    made = find_made(sheet.sha256, sheet.keys)
    sheet = sheet.part([item for item in sheet.items if item[0] not in made])
    if sheet.items and network.sha256 == sheet.sha256:
        try:
            latent = _space(network).latent
            if sheet.kind == "values":
                store_values(network, sheet.keys, _values(latent, sheet))
            else:
                store_pictures(network, sheet.keys, render(latent, sheet))
        except (BrokenModelError, EngineError) as error:
            raise JobError(str(error)) from error
        except FileNotFoundError as error:
            told = _("The weights are not there any more. Choose another model or another snapshot.")
            raise JobError(told) from error


def render(latent: LatentSpace, sheet: Sheet) -> UInt8Array:
    """The pictures of a sheet, in order: uint8 `[N, H, W, 3]`. Raises EngineError where it makes no sense."""
    whats = [what for _key, what in sheet.items]
    if sheet.kind == "points":
        return latent.images([parse_point(what) for what in whats], batch_size=BATCH)
    if sheet.kind == "tiles":
        tiles = [Tile(x=x, y=y, zoom=zoom) for x, y, zoom in whats]
        ws = latent.map_ws(parse_map(sheet.shared), tiles)
    else:
        shared = dict(sheet.shared or {})
        points = tuple(parse_point(point) for point in shared.pop("points"))
        ws = walk_latents(latent, Walk(points=points, **shared))(whats)
    return latent.generator.images_of(ws, batch_size=BATCH)


def _values(latent: LatentSpace, sheet: Sheet) -> list[Vector]:
    """The w of a sheet's points, in order: one row for all layers where they have the same."""
    found = []
    for ws in latent.ws([parse_point(what) for _key, what in sheet.items]):
        is_one = bool((ws == ws[0]).all())
        found.append(Vector.of(ws[: 1 if is_one else None].numpy(), model=latent.generator.info.sha256))
    return found


def _space(network: Network) -> Space:
    """The warm latent space of a network; its directions are kept beside the models on this machine."""

    def load() -> Space:
        generator = Generator.load(network_folder(network.key), precision="auto")
        cache = settings.DATA_DIR / "cache" / "directions"
        latent = LatentSpace(generator, cache=cache, relatives=network.relatives)
        return Space(latent=latent, nbytes=generator.nbytes)

    return warm.get(f"look:{network.sha256}", load, lambda space: space.nbytes)
