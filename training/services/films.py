"""The progress video of an experiment: asked for here, made by a light job."""

from django.db import transaction
from django.utils.translation import gettext as _

from jobs.models import State
from jobs.services import submit_job
from training.exceptions import SnapshotMissing
from training.kinds import FILM
from training.models import Experiment, Film

MIN_FRAMES = 2


@transaction.atomic
def make_film(*, experiment: Experiment) -> Film:
    """Have the film of an experiment's sample grids made, or made anew. Return its row.

    Effect: submits a light job, in one transaction with the row, unless one is under way or the film already
    ends with the newest grid. An older film stays to be seen until the new one is stored.
    Raises SnapshotMissing while there are fewer than two grids.
    """
    # The lock lets two clicks at the same moment ask for one film.
    experiment = Experiment.objects.select_for_update(of=("self",)).get(pk=experiment.pk)
    newest = experiment.snapshots.order_by("-step").values_list("step", flat=True)[:MIN_FRAMES]
    if len(newest) < MIN_FRAMES:
        raise SnapshotMissing(_("A film needs at least two snapshots. Wait for the second one."))
    film = Film.objects.select_related("job").filter(experiment=experiment).first()
    if film is not None and (film.job.is_active or is_current(film, newest[0])):
        return film
    job = submit_job(
        owner=experiment.owner,
        kind=FILM.name,
        label=_("Progress video of %(name)s") % {"name": experiment.name},
    )
    film, _is_new = Film.objects.update_or_create(experiment=experiment, defaults={"job": job})
    return film


def is_current(film: Film, newest_step: int) -> bool:
    """Whether the film is made and ends with the newest grid."""
    return bool(film.file) and film.job.state == State.SUCCEEDED and film.last_step >= newest_step
