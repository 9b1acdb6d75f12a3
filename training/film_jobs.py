"""The light job that makes the film of a training out of its snapshots' grids. No torch here."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.signing import signer
from engines.errors import EngineError
from engines.film import write_progress_film
from engines.film_provenance import FilmMarker
from engines.progress import Control
from engines.provenance import Provenance
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, store_file
from training import files
from training.models import Film, Snapshot


class Stopped(Exception):
    """The work ends here: told to stop."""


def run_film(context: JobContext) -> Outcome:
    """Make the film of the job's experiment: all grids there are, as MP4. The film before it then goes."""
    films = Film.objects.select_related("experiment__owner", "experiment__dataset_version__licence")
    film = films.filter(job_id=context.job_id).first()
    if film is None:
        raise JobError(_("The experiment was deleted while its film was waiting. Nothing else was touched."))
    snapshots = list(Snapshot.objects.filter(experiment=film.experiment_id).order_by("step"))
    path = context.workdir / "film.mp4"
    marker = FilmMarker(_record(film), signer())
    try:
        write_progress_film(_grids(context, snapshots), path, tags=marker.tags)
        marker.seal(path)
    except Stopped:
        return Outcome(state="stopped")
    except FileNotFoundError as error:
        message = _("Snapshots were deleted while the film was made. Make it again with those that are left.")
        raise JobError(message) from error
    except EngineError as error:
        raise JobError(str(error)) from error
    key = store_file(path, f"{attempt_prefix(context.job)}film.mp4")
    return Outcome(apply=partial(_replace, context, key, snapshots[-1].step))


def _record(film: Film) -> Provenance:
    """What is written into the film; there is no model to name yet."""
    experiment = film.experiment
    licence = experiment.dataset_version.licence
    return Provenance(
        model=experiment.name,
        settings={"Steps": experiment.steps, "Seed": experiment.seed},
        creator=experiment.owner.public_name,
        licence=licence.spdx_id or licence.name,
        licence_url=licence.url,
        run=str(film.job_id),
        studio=settings.SITE_URL,
    )


def _grids(context: JobContext, snapshots: list[Snapshot]) -> Iterator[tuple[str, Path]]:
    """Caption and local copy of each grid, fetched when it is wanted."""
    path = context.workdir / "grid.png"
    for done, snapshot in enumerate(snapshots, start=1):
        if context.report(step=done, total=len(snapshots)) is Control.STOP:
            raise Stopped
        with default_storage.open(snapshot.grid) as stored, path.open("wb") as copy:
            shutil.copyfileobj(stored, copy)
        yield _("Step %(step)s") % {"step": f"{snapshot.step:,}"}, path


def _replace(context: JobContext, key: str, last_step: int) -> None:
    """Show the new film from now on; its file goes instead of the old one where nobody wants it any more."""
    film = Film.objects.select_for_update().filter(job_id=context.job_id).first()
    unused = key if film is None else film.file
    if film is not None:
        film.file, film.last_step = key, last_step
        film.save(update_fields=["file", "last_step"])
    if unused:
        transaction.on_commit(partial(files.remove_files, [unused]), robust=True)
