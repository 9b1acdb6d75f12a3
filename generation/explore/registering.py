"""What points and projections tell the floors below: kinds of jobs, stored files, what depends on models."""

from django.utils.translation import gettext_lazy as _

from catalog.registry import Dependents, register_dependents, register_stored
from generation.dependents import describe_points
from generation.explore import memorising, projections
from generation.services import POINT_JOB_KIND
from jobs.models import Queue
from jobs.registry import JobKind, register
from jobs.sweeps import StoredFiles, register_files


def register_points() -> None:
    """Register it all; called once, when the apps are loaded."""
    register(
        JobKind(
            name=projections.JOB_KIND,
            queue=Queue.GENERATE,
            handler="generation.explore.projection_jobs.project_picture",
            resumable=True,
            slice_end="generation.explore.projections.slice_end",
            title=_("Looking for a photograph"),
        )
    )
    register(
        JobKind(
            name=POINT_JOB_KIND,
            queue=Queue.GENERATE,
            handler="generation.explore.point_jobs.make_picture",
            may_relax=True,
            title=_("Making an image of a point"),
        )
    )
    register(
        JobKind(
            name=memorising.JOB_KIND,
            queue=Queue.GENERATE,
            handler="generation.explore.memorising_jobs.measure",
            title=_("Measuring what was learnt by heart"),
        )
    )
    register_stored("projections", projections.bytes_of)
    register_dependents(Dependents(name="points", describe=describe_points))
    for prefix in (projections.PREFIX, "jobs"):
        register_files(
            StoredFiles(name=f"projections in {prefix}", prefix=prefix, in_use=projections.keys_in_use)
        )
