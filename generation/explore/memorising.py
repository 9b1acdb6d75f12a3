"""How much a version has learnt by heart: its owner asks for it, and all who see the model read it."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import User
from catalog.models import ModelVersion
from catalog.registry import training_indexes
from engines.manifest import FAMILIES
from generation.exceptions import PointRefusedError
from generation.models import Memorisation
from jobs.fairness import lock_line
from jobs.services import submit_job

JOB_KIND = "generation.memorise"
GONE = gettext_noop(
    "The training pictures of this model cannot be searched any more, so there is nothing to measure."
)


@transaction.atomic
def start_memorisation(*, owner: User, version: ModelVersion) -> Memorisation:
    """Have it measured how much a version repeats of its training pictures, or measured anew; it is free.

    Effect: submits a job in the generate queue, unless one is under way. Raises PointRefusedError where the
    training pictures cannot be searched any more.
    """
    lock_line(owner.pk)  # two clicks at once ask for one measurement
    known = Memorisation.objects.select_related("job").filter(version=version).first()
    if known is not None and known.job.is_active:
        return known
    if not training_indexes(version):
        raise PointRefusedError(_(GONE))
    label = _("What %(model)s learnt by heart") % {"model": version.model.title}
    job = submit_job(owner=owner, kind=JOB_KIND, label=label)
    measured, _is_new = Memorisation.objects.update_or_create(version=version, defaults={"job": job})
    return measured


def tell_memorisation(version: ModelVersion, viewer: User | AnonymousUser) -> dict[str, Any] | None:
    """Return what the page of a model tells of it, None where there is nothing. At most three queries.

    The owner also sees that it is being measured, or that it can be.
    """
    if version.model.family not in FAMILIES:
        return None
    measured = Memorisation.objects.select_related("job").filter(version=version).first()
    is_owner = version.model.owner_id == viewer.pk
    figures = measured.figures if measured else {}
    can_measure = is_owner and bool(training_indexes(version))
    if not figures and not can_measure:
        return None
    return {
        "version": version,
        "measured": measured,
        "job": measured.job if measured and is_owner else None,
        "can_measure": can_measure,
        "verdict": _verdict(figures) if figures else "",
        **{name: round(100 * figures[name]) for name in ("share", "floor") if name in figures},
        "suspects": round(figures["suspects"] * figures["samples"]) if figures else 0,
        "samples": figures.get("samples", 0),
    }


def _verdict(figures: dict[str, float]) -> str:
    """Say what to think of the figures: chance alone moves them by a few percent."""
    over = figures["share"] - figures["floor"]
    if figures["suspects"] > 0.01 or over > 0.3:
        return _("It repeats training pictures. Train with more of them, or choose an earlier snapshot.")
    if over > 0.1:
        return _("It keeps close to its training pictures.")
    return _("It makes pictures of its own: no nearer to the training pictures than these are to each other.")
