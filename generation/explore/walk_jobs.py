"""Making films of walks, in a generate worker. Imports torch, so nothing in a web process may import it."""

import io
from collections.abc import Callable
from pathlib import Path

import torch
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.generators import network_of
from catalog.models import ModelVersion
from catalog.signing import signer
from catalog.terms import required_attribution
from engines.errors import EngineError
from engines.film_provenance import FilmMarker
from engines.progress import Control
from engines.provenance import Provenance
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.walk import preview, write_walk
from engines.stylegan.walking import Walk, parse_walk
from generation.explore.look_jobs import Between
from generation.explore.walk_frames import StoredFrames
from generation.models import Walk as WalkRow
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, store_file

_POSTER_QUALITY = 90


class Stopped(Exception):
    """The work ends here: told to stop."""


def make_walk(context: JobContext) -> Outcome:
    """Make the file of a walk, which is charged as soon as it is stored. Stopping leaves and costs nothing.

    An attempt goes on from the frames that those before it have stored; one that finds the file of an earlier
    attempt has nothing left to do.
    """
    row = _row(context)
    if row.file:
        return Outcome()
    if row.version is None:
        raise JobError(_("The model was deleted before the walk was made. Choose another model."))
    torch.set_num_threads(context.threads)
    path = context.workdir / f"walk.{row.format}"
    try:
        walk = parse_walk(row.settings)
        space = _space(row.version)
        frames = StoredFrames(context.job)
        marker = _marker(row, row.version, walk)
        write_walk(space, walk, path, marker=marker, on_batch=_told(context), kept=frames)
        poster = preview(space, walk, 1)[0]
    except Stopped:
        return Outcome(state="stopped")
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    except EngineError as error:
        raise JobError(str(error)) from error
    _keep(context, row, walk, path, Image.fromarray(poster))
    frames.forget()
    return Outcome()


def _row(context: JobContext) -> WalkRow:
    rows = WalkRow.objects.select_related(
        "owner", "version__model__owner", "version__licence", "version__source"
    )
    found: WalkRow = rows.get(job_id=context.job_id)
    return found


def _space(version: ModelVersion) -> LatentSpace:
    """The latent space of a version, whose generator stays loaded for the jobs that come after."""
    folder = materialise(version)
    generator = warm.get(version.sha256, lambda: Generator.load(folder), lambda loaded: loaded.nbytes)
    cache = settings.DATA_DIR / "cache" / "directions"
    return LatentSpace(generator, cache=cache, relatives=network_of(version).relatives)


def _told(context: JobContext) -> Callable[[int, int], None]:
    looks = Between()

    def on_batch(done: int, total: int) -> None:
        if context.report(step=done, total=total) is Control.STOP:
            raise Stopped
        looks.serve()

    return on_batch


def _marker(row: WalkRow, version: ModelVersion, walk: Walk) -> FilmMarker:
    """What is written into the file: it suffices to make the walk again."""
    licence = version.licence_in_force
    record = Provenance(
        model=f"{version.model.address} v{version.number}",
        model_sha256=version.weights_sha256,
        settings=walk.as_record(),
        creator=row.owner.public_name,
        credit="; ".join(required_attribution(version)),
        licence=licence.spdx_id or licence.name,
        licence_url=licence.url,
        version_sha256=version.sha256,
        run=str(row.job_id),
        studio=settings.SITE_URL,
    )
    return FilmMarker(record, signer())


def _keep(context: JobContext, row: WalkRow, walk: Walk, path: Path, poster: Image.Image) -> None:
    """Store what was made and charge it."""
    encoded = io.BytesIO()
    poster.save(encoded, "WEBP", quality=_POSTER_QUALITY)
    prefix = attempt_prefix(context.job)
    poster_key = default_storage.save(f"{prefix}poster.webp", ContentFile(encoded.getvalue()))
    key = store_file(path, f"{prefix}{path.name}")
    with context.fenced():
        WalkRow.objects.filter(pk=row.pk).update(file=key, poster=poster_key, size_bytes=path.stat().st_size)
        context.deliver(walk.frames)
        context.touch()
