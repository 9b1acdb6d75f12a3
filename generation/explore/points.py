"""Points that people keep: pinned in the tray of a model, named, shared, and offered to its relatives."""

import json
from collections.abc import Mapping

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.generators import Network, find_network, version_key
from catalog.models import CatalogModel, ModelVersion
from engines.errors import ConfigError
from engines.manifest import GENERATOR_FILE, ModelInfo
from engines.stylegan.layers import Bands, bands
from engines.stylegan.points import (
    LatentMap,
    MapPlace,
    Mix,
    Moved,
    Point,
    Seed,
    Vector,
    named_directions,
    named_models,
    parse_point,
)
from generation.exceptions import PointRefusedError
from generation.models import DirectionName, SavedPoint
from jobs.fairness import lock_line

# Points that one person may keep of one version: what a tray shows at once.
MAX_KEPT = 96
# Relatives that a page offers, itself among them.
_RELATIVES = 13
# As many as `engines.stylegan.directions` keeps of a model; of a small w there are fewer.
DIRECTIONS = 64
# A mix of two points with values for each of 18 layers of 512 has a quarter of that.
MAX_LENGTH = 400_000


def read_point(text: str) -> Point:
    """Read a point that a page sent. Raises PointRefusedError with the plain reason."""
    if len(text) > MAX_LENGTH:
        raise PointRefusedError(_("This point is too long to be read. Pin the point again."))
    try:
        return parse_point(json.loads(text))
    except ConfigError as error:
        raise PointRefusedError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise PointRefusedError(_("This is not a point that can be read. Pin the point again.")) from error


def why_not_shown(point: Point | LatentMap, network: Network) -> str:
    """Say why a network cannot show a point, or a map; "" where it can. As `LatentSpace` judges it."""
    if foreign := named_models(point) - network.accepted:
        told = _(
            "This point has values of another model, %(other)s, from which %(model)s was not made. Open it "
            "with its own model."
        )
        return told % {"other": min(foreign)[:12], "model": network.title}
    count = count_directions(network.info)
    if missing := [number for number in named_directions(point) if number >= count]:
        told = _("This model has %(count)d directions, numbered from 0; there is no number %(number)d.")
        return told % {"count": count, "number": missing[0]}
    return ""


def count_directions(info: ModelInfo) -> int:
    """Return how many principal directions a model has."""
    return min(DIRECTIONS, int(info.architecture["w_dim"]))


def bands_of(info: ModelInfo) -> Bands:
    """Which layers of a model are coarse, middle and fine."""
    return bands(info.family, info.architecture)


@transaction.atomic
def save_point(*, owner: User, network: Network, point: Point, title: str = "") -> SavedPoint:
    """Keep a point in its owner's tray of a version, or of a training for one of its snapshots.

    One that is there already is returned as it is. Raises PointRefusedError where the network cannot show it,
    or the owner keeps as many as one person may.
    """
    if refusal := why_not_shown(point, network):
        raise PointRefusedError(refusal)
    lock_line(owner.pk)  # two pins at once are counted one after the other
    kept = SavedPoint.objects.filter(owner=owner, version=network.version)
    if network.version is None:
        kept = kept.filter(training=network.training)
    known: SavedPoint | None = kept.filter(point=point.as_json()).first()
    if known is not None:
        return known
    if kept.count() >= MAX_KEPT:
        told = _(
            "You keep %(count)d points here, as many as there is room for. Delete some, then pin this one."
        )
        raise PointRefusedError(told % {"count": MAX_KEPT})
    saved: SavedPoint = SavedPoint.objects.create(
        owner=owner,
        version=network.version,
        network="" if network.version else network.key,
        training=None if network.version else network.training,
        title=title.replace("\0", "").strip()[:80] or describe(point),
        point=point.as_json(),
    )
    return saved


def describe(point: Point) -> str:
    """Say in a few words how one comes to a point: its name until its owner gives it one."""
    match point:
        case Seed():
            return _("Seed %(seed)d") % {"seed": point.seed}
        case MapPlace():
            return _("Place %(x)d, %(y)d") % {"x": point.tile.x, "y": point.tile.y}
        case Vector():
            return _("Found point")
        case Mix():
            return _("Mix of two")
        case Moved():
            return _("%(point)s, moved") % {"point": describe(point.point)}


def rename_point(*, point: SavedPoint, title: str) -> None:
    """Give a point another name; an empty one leaves it as it is."""
    wanted = title.replace("\0", "").strip()[:80]
    if wanted:
        point.title = wanted
        point.save(update_fields=["title"])


def share_point(*, point: SavedPoint, is_shared: bool) -> None:
    """Let whoever has a point's address open it, as far as they see its model; or no longer."""
    point.is_shared = is_shared
    point.save(update_fields=["is_shared"])


def tray_of(user: User | AnonymousUser, network: Network) -> list[SavedPoint]:
    """Return the user's points that a network can show, the newest first. One query.

    They were pinned in it, in another version of its model, in a model that it was made from, or in a
    snapshot of its training; of very many the newest.
    """
    lines = Q(version__files__path=GENERATOR_FILE, version__files__sha256__in=network.accepted)
    if network.version is not None:
        lines |= Q(version__model=network.version.model_id)
    if network.training is not None:
        lines |= Q(training=network.training) | Q(version__model__saved_from=network.training)
    found = SavedPoint.objects.owned_by(user).filter(lines).distinct()
    fitting = [
        one for one in found.select_related("version__model") if not why_not_shown(parse(one), network)
    ]
    return fitting[:MAX_KEPT]


def relatives_of(network: Network, viewer: User | AnonymousUser) -> list[tuple[str, str]]:
    """Return key and name of the networks to which points of this one carry over, newest first. One query.

    They are other versions of its model, and what was trained on from it or mixed of it, as far as the viewer
    may open them.
    """
    kin = Q(manifest__lineage__contains=[{"kind": "model", "sha256": network.sha256}])
    if network.version is not None:
        kin |= Q(model=network.version.model_id)
    elif network.training is not None:
        kin |= Q(model__saved_from=network.training)
    open_to = CatalogModel.objects.reachable_by(viewer).values("pk")
    found = (
        ModelVersion.objects.filter(kin, model__in=open_to).select_related("model").order_by("-created_at")
    )
    title = _("%(title)s, version %(number)d")
    return [
        (version_key(one.pk), title % {"title": one.model.title, "number": one.number})
        for one in found[:_RELATIVES]
        if version_key(one.pk) != network.key
    ]


def network_where_found(saved: SavedPoint, viewer: User | AnonymousUser) -> Network | None:
    """Return the network in which a point was pinned, as far as the viewer may see it.

    Where that was a snapshot that is gone, the model that was saved from its training.
    """
    if saved.version_id is not None:
        return find_network(version_key(saved.version_id), viewer)
    network = find_network(saved.network, viewer)
    if network is None:
        versions = ModelVersion.objects.filter(model__saved_from=saved.training).order_by("-number")
        number = versions.values_list("pk", flat=True).first()
        network = find_network(version_key(number), viewer) if number else None
    return network


def parse(saved: SavedPoint) -> Point:
    """Return the point that a row keeps."""
    return parse_point(saved.point)


def points_shown_to(user: User | AnonymousUser) -> QuerySet[SavedPoint]:
    """Keep the user's own points, and the shared ones of models that the user may open."""
    shared = Q(is_shared=True, version__model__in=CatalogModel.objects.reachable_by(user).values("pk"))
    if user.is_authenticated:
        shared |= Q(owner=user)
    found: QuerySet[SavedPoint] = SavedPoint.objects.filter(shared)
    return found.select_related("owner", "version__model__owner", "version__licence")


def direction_names(version: ModelVersion | None) -> dict[int, str]:
    """Return what the owner of a version calls its directions, by their numbers. One query; none for None."""
    if version is None:
        return {}
    return dict(version.direction_names.values_list("number", "name"))


@transaction.atomic
def name_directions(*, version: ModelVersion, names: Mapping[int, str]) -> None:
    """Set what directions of a version are called, as all who see the model read it; "" takes a name away."""
    for number, name in names.items():
        if wanted := name.replace("\0", "").strip()[:60]:
            DirectionName.objects.update_or_create(version=version, number=number, defaults={"name": wanted})
        else:
            DirectionName.objects.filter(version=version, number=number).delete()


def as_text(point: Point) -> str:
    """Return a point as a form sends it."""
    return json.dumps(point.as_json(), separators=(",", ":"))
