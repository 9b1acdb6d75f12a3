import base64
import json
import subprocess
import sys

import numpy as np
import pytest

from engines.errors import ConfigError
from engines.stylegan.points import (
    LatentMap,
    MapPlace,
    Mix,
    Move,
    Moved,
    Seed,
    Tile,
    Vector,
    parse_map,
    parse_point,
    tile_key,
)

MODEL = "a" * 64
VALUES = np.arange(6, dtype=np.float32).reshape(2, 3) / 7


def every_kind():
    seed = Seed(seed=5, truncation=0.7)
    vector = Vector.of(VALUES, model=MODEL)
    return [
        seed,
        vector,
        Mix(first=seed, second=vector, coarse=1.0, fine=0.25),
        Moved(point=vector, moves=(Move(direction=2, strength=-1.5, first=1, last=3),)),
        MapPlace(map=LatentMap(seed=9, centre=seed, axes=(0, 3)), tile=Tile(x=-4, y=7, zoom=2)),
    ]


@pytest.mark.parametrize("point", every_kind(), ids=lambda point: point.kind)
def test_points_survive_json(point):
    assert parse_point(json.loads(json.dumps(point.as_json()))) == point


def test_the_values_of_a_vector_are_exact():
    assert np.array_equal(Vector.of(VALUES, model=MODEL).values, VALUES)


def test_a_map_survives_json():
    latent_map = LatentMap(seed=3, distance=0.25, truncation=1.0, centre=Seed(seed=1), axes=(1, 0))
    assert parse_map(json.loads(json.dumps(latent_map.as_json()))) == latent_map


SEED = {"kind": "seed", "seed": 1}
VECTOR = Vector.of(VALUES, model=MODEL).as_json()
INFINITE = base64.b64encode(np.full((2, 3), np.inf, "<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "not a point"),
        ("seed", "not a point"),
        ({"kind": ["seed"]}, "not a point"),
        ({"kind": "place"}, "not a point"),
        ({"kind": "seed"}, "not complete"),
        ({"kind": "seed", "seed": "1"}, "A seed goes from 0"),
        ({"kind": "seed", "seed": True}, "A seed goes from 0"),
        ({**SEED, "truncation": 50}, "Truncation goes from -1 to 2; you gave 50"),
        ({**SEED, "truncation": float("nan")}, "Truncation goes"),
        ({**VECTOR, "model": "b"}, "must name its model"),
        ({**VECTOR, "data": "!"}, "cannot be read"),
        ({**VECTOR, "rows": 3}, "cannot be read"),
        ({**VECTOR, "data": INFINITE}, "not usable numbers"),
        ({"kind": "mix", "first": SEED}, "not complete"),
        ({"kind": "mix", "first": SEED, "second": SEED, "coarse": 2}, "share of coarse layers"),
        ({"kind": "moved", "point": SEED, "moves": []}, "1 to 64 directions"),
        ({"kind": "moved", "point": SEED, "moves": [{"direction": 0, "strength": 99}]}, "strength"),
        ({"kind": "moved", "point": SEED, "moves": [1]}, "not complete"),
        ({"kind": "map", "map": {}, "x": 0, "y": 2**40}, "row of a tile"),
        ({"kind": "map", "map": {}, "x": 0, "y": 0, "zoom": 99}, "The zoom goes from"),
        ({"kind": "map", "map": {"distance": 0}, "x": 0, "y": 0}, "sampling distance"),
        ({"kind": "map", "map": {"axes": [1, 1]}, "x": 0, "y": 0}, "two different directions"),
        ({"kind": "map", "map": 7, "x": 0, "y": 0}, "not a map"),
    ],
)
def test_what_is_no_point_is_refused_with_a_reason(value, message):
    with pytest.raises(ConfigError, match=message):
        parse_point(value)


def test_points_within_points_have_an_end():
    value = SEED
    for _ in range(40):
        value = {"kind": "mix", "first": value, "second": SEED}
    with pytest.raises(ConfigError, match="points within points"):
        parse_point(value)


def test_zooming_in_keeps_the_places():
    for x, y, zoom in [(3, -5, 0), (1001, 7, 3), (-1, 0, -2)]:
        coarse, fine = Tile(x=x, y=y, zoom=zoom), Tile(x=2 * x, y=2 * y, zoom=zoom + 1)
        assert coarse.place(0.3) == fine.place(0.3)
        assert coarse.coarsest() == fine.coarsest()
    assert Tile(x=12, y=-20, zoom=3).coarsest() == Tile(x=3, y=-5, zoom=1)


def test_the_key_of_a_tile_tells_apart_what_looks_different():
    latent_map = LatentMap()
    key = tile_key(MODEL, latent_map, Tile(x=3, y=5))
    assert key == tile_key(MODEL, LatentMap(), Tile(x=6, y=10, zoom=1))
    others = {
        tile_key("b" * 64, latent_map, Tile(x=3, y=5)),
        tile_key(MODEL, LatentMap(seed=1), Tile(x=3, y=5)),
        tile_key(MODEL, LatentMap(truncation=1.0), Tile(x=3, y=5)),
        tile_key(MODEL, LatentMap(centre=Seed(seed=0)), Tile(x=3, y=5)),
        tile_key(MODEL, latent_map, Tile(x=5, y=3)),
        tile_key(MODEL, latent_map, Tile(x=3, y=5, zoom=1)),
    }
    assert len(others | {key}) == 7


def test_points_and_maps_take_no_torch():
    modules = "engines.stylegan.points, engines.stylegan.latent_map, engines.stylegan.layers"
    code = f"import sys, {modules}, engines.stylegan.relatives; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
