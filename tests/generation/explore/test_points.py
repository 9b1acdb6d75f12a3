"""Points that are kept: pinned, named, shared, offered to relatives; below their pages."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from accounts.models import User
from catalog.generators import Network, network_of
from catalog.models import ModelVersion, Visibility
from engines.stylegan.points import LatentMap, MapPlace, Mix, Move, Moved, Seed, Tile, Vector
from generation.exceptions import PointRefusedError
from generation.explore import points
from generation.explore.shaping import taken_apart
from generation.models import SavedPoint

SEED = Seed(seed=5, truncation=0.8)


@pytest.fixture
def network(version: ModelVersion) -> Network:
    return network_of(version)


def vector(network: Network, model: str | None = None) -> Vector:
    return Vector.of(np.ones((1, 8), np.float32), model=model or network.sha256)


def test_a_point_is_kept_once(owner, network):
    first = points.save_point(owner=owner, network=network, point=SEED)
    again = points.save_point(owner=owner, network=network, point=SEED, title="Another name")
    assert first == again
    assert (first.title, points.parse(first), first.version) == ("Seed 5", SEED, network.version)


@pytest.mark.parametrize(
    ("point", "title"),
    [
        (MapPlace(map=LatentMap(seed=1), tile=Tile(x=3, y=-2)), "Place 3, -2"),
        (Mix(first=SEED, second=Seed(seed=1), fine=1.0), "Mix of two"),
        (Moved(point=SEED, moves=(Move(direction=0, strength=1.0),)), "Seed 5, moved"),
    ],
)
def test_a_point_without_a_name_tells_how_one_comes_to_it(point, title):
    assert points.describe(point) == title


def test_points_of_another_model_are_refused(owner, network):
    inside = Mix(first=SEED, second=vector(network, "a" * 64), fine=0.5)
    for point in (vector(network, "a" * 64), inside):
        with pytest.raises(PointRefusedError, match="values of another model, aaaaaaaaaaaa"):
            points.save_point(owner=owner, network=network, point=point)
    assert points.save_point(owner=owner, network=network, point=vector(network)).title == "Found point"


def test_directions_that_a_model_does_not_have_are_refused(owner, network):
    moved = Moved(point=SEED, moves=(Move(direction=8, strength=1.0),))
    with pytest.raises(PointRefusedError, match="has 8 directions"):
        points.save_point(owner=owner, network=network, point=moved)


def test_a_tray_has_room_for_so_many(owner, network, monkeypatch):
    monkeypatch.setattr(points, "MAX_KEPT", 2)
    for seed in range(2):
        points.save_point(owner=owner, network=network, point=Seed(seed=seed))
    with pytest.raises(PointRefusedError, match="You keep 2 points"):
        points.save_point(owner=owner, network=network, point=Seed(seed=9))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "7", '{"kind": "seed"}', '{"kind": ["seed"]}', '{"kind": "seed", "seed": NaN}',
        '{"kind": "seed", "seed": 1, "truncation": 50}', '{"kind": "seed", "seed": "1"}',
        '{"kind": "seed", "seed": 1, "truncation": 1e999}', "[" * 100_000, "9" * 5000, " " * 500_000,
        json.dumps({"kind": "vector", "model": "x", "rows": 1, "width": 8, "data": "!"}),
    ],
)  # fmt: skip
def test_hostile_points_are_refused_in_words(text):
    with pytest.raises(PointRefusedError, match=r"\."):
        points.read_point(text)


def test_what_is_read_is_what_was_written(network):
    point = Moved(point=vector(network), moves=(Move(direction=1, strength=-2.0),))
    assert points.read_point(points.as_text(point)) == point


def test_a_tray_holds_what_later_versions_and_descendants_can_show(
    owner: User, stranger: User, network: Network, publish: Callable[..., ModelVersion]
):
    seed = points.save_point(owner=owner, network=network, point=SEED)
    found = points.save_point(owner=owner, network=network, point=vector(network))
    points.save_point(owner=stranger, network=network, point=Seed(seed=1))
    assert points.tray_of(owner, network) == [found, seed]

    info = network.info
    child = Network(
        key="snapshot:0", sha256="c" * 64, title="Child", label="", version=None, owner_id=owner.pk,
        is_public=False,
        info=type(info)(
            family=info.family,
            architecture=info.architecture,
            lineage=({"kind": "model", "sha256": network.sha256},),
            files={"g_ema.safetensors": "c" * 64},
        ),
    )  # fmt: skip
    assert points.tray_of(owner, child) == [found, seed]
    unrelated = Network(
        key="snapshot:1", sha256="d" * 64, title="Other", label="", version=None, owner_id=owner.pk,
        is_public=False, info=type(info)(family=info.family, architecture=info.architecture),
    )  # fmt: skip
    assert points.tray_of(owner, unrelated) == []


def test_shared_points_are_found_where_the_model_is_shown(owner, stranger, network):
    saved = points.save_point(owner=owner, network=network, point=SEED)
    points.share_point(point=saved, is_shared=True)
    assert not points.points_shown_to(stranger).exists()
    network.version.model.visibility = Visibility.PUBLIC
    network.version.model.save(update_fields=["visibility"])
    assert list(points.points_shown_to(stranger)) == [saved]
    points.share_point(point=saved, is_shared=False)
    assert not points.points_shown_to(stranger).exists()
    assert list(points.points_shown_to(owner)) == [saved]


def test_names_of_directions_come_and_go(version):
    points.name_directions(version=version, names={0: "Smile", 3: "  Light\0 "})
    points.name_directions(version=version, names={0: "", 1: " "})
    assert points.direction_names(version) == {3: "Light"}


def test_moves_are_found_again_in_the_sliders(network):
    bands = points.bands_of(network.info)
    coarse = Moved(point=SEED, moves=(Move(direction=1, strength=2.5, first=0, last=bands.coarse - 1),))
    assert taken_apart(coarse, bands) == (SEED, {"move_1": 2.5, "layers": "coarse"})
    beyond = Moved(point=SEED, moves=(Move(direction=1, strength=9.0),))
    assert taken_apart(beyond, bands) == (beyond, {})


def test_points_go_with_their_version(owner, network):
    points.save_point(owner=owner, network=network, point=SEED)
    network.version.model.delete()
    assert not SavedPoint.objects.exists()
