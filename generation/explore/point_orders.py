"""Keeping the picture of a point in the gallery: ordered and paid for like any other picture."""

from django.db import transaction

from accounts.models import User
from catalog.generators import Network
from engines.stylegan.points import MapPlace, Mix, Moved, Point, Seed
from generation.exceptions import PointRefusedError
from generation.explore.points import why_not_shown
from generation.models import Generation, SavedPoint
from generation.services import POINT_JOB_KIND, admit_order, order_label, quote_generation
from jobs.services import submit_job


@transaction.atomic
def order_picture(*, owner: User, network: Network, point: Point, saved: SavedPoint) -> Generation:
    """Order the picture of a point as a version shows it; `saved` is where it was found.

    Effect: inserts the order and its job, which waits in the generate queue, and holds its credits, in one
    transaction. Raises PointRefusedError where the version cannot show it, TooManyWaitingError, CreditsShort
    and AccountBlocked.
    """
    if refusal := why_not_shown(point, network):
        raise PointRefusedError(refusal)
    admit_order(owner)
    job = submit_job(
        owner=owner,
        kind=POINT_JOB_KIND,
        label=order_label(1, network.title),
        total=1,
        quote=quote_generation(1),
    )
    order: Generation = Generation.objects.create(
        owner=owner,
        job=job,
        kind=Generation.Kind.POINT,
        model_version=network.version,
        model_title=network.title,
        settings={
            "point": point.as_json(),
            "saved": str(saved.pk),
            "seeds": [seed_of(point)],
            "truncation_psi": 1.0,
        },
        count=1,
    )
    return order


def seed_of(point: Point) -> int:
    """The seed with which a point began, 0 where it began with values."""
    match point:
        case Seed():
            return point.seed
        case MapPlace():
            return point.map.seed
        case Mix():
            return seed_of(point.first)
        case Moved():
            return seed_of(point.point)
        case _:
            return 0
