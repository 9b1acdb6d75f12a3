import numpy as np
import pytest

from engines.stylegan.latent_map import Landscape, bounded, places_of
from engines.stylegan.points import LatentMap, Tile

Z_DIM = 128


def tiles_of(columns, rows, **values):
    return [Tile(x=x, y=y, **values) for y in range(rows) for x in range(columns)]


def likeness(a, b):
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@pytest.fixture(scope="module")
def landscape():
    return Landscape.of(0, Z_DIM)


def test_the_latents_of_a_map_are_as_normal_as_those_of_seeds(landscape):
    rng = np.random.default_rng(1)
    z = landscape.z(rng.uniform(-1e6, 1e6, (2000, 2)))
    assert z.shape == (2000, Z_DIM)
    assert z.dtype == np.float32
    lengths = np.linalg.norm(z, axis=1) / Z_DIM**0.5
    assert 0.75 < lengths.min() < lengths.max() < 1.25  # chi: five deviations of 1 / sqrt(2 z_dim)
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1.0) < 0.02


def test_neighbours_look_alike_and_likeness_falls_with_the_distance(landscape):
    middle = landscape.z(np.zeros((1, 2)))[0]
    found = [likeness(middle, landscape.z(np.array([[way, 0.0]]))[0]) for way in (0.1, 0.5, 1.0, 2.0)]
    assert found == pytest.approx([np.exp(-(way**2) / 2) for way in (0.1, 0.5, 1.0, 2.0)], abs=0.15)
    assert found == sorted(found, reverse=True)


def test_nothing_comes_back_near_or_far(landscape):
    """Of 40 x 40 tiles far from each other no two are alike, nor is one like those a million tiles away."""
    near = landscape.z(places_of(LatentMap(distance=3.0), tiles_of(20, 20)))
    far = landscape.z(places_of(LatentMap(distance=3.0), [Tile(x=10**6 + x, y=-(10**6)) for x in range(20)]))
    unit = np.concatenate([near, far])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    products = unit @ unit.T
    np.fill_diagonal(products, 0.0)
    assert np.abs(products).max() < 0.6  # chance alone gives 0.09 on average for 128 numbers


def test_a_tile_is_the_same_number_alone_and_at_every_zoom(landscape):
    latent_map = LatentMap(distance=0.3)
    together = landscape.z(places_of(latent_map, tiles_of(5, 4)))
    finer = landscape.z(places_of(latent_map, [Tile(x=2 * t.x, y=2 * t.y, zoom=1) for t in tiles_of(5, 4)]))
    alone = landscape.z(places_of(latent_map, [Tile(x=3, y=2)]))
    assert np.array_equal(together, finer)
    assert np.array_equal(together[2 * 5 + 3], alone[0])


def test_the_way_is_smooth_everywhere(landscape):
    """Steps a thousand times as small bring changes a thousand times as small: there are no seams."""
    rng = np.random.default_rng(2)
    places = rng.uniform(-1000, 1000, (200, 2))
    changes = [
        np.linalg.norm(landscape.z(places + np.array([step, 0.0])) - landscape.z(places), axis=1)
        for step in (1e-1, 1e-4)
    ]
    assert (changes[1] / changes[0] < 2e-3).all()
    assert (changes[1] / Z_DIM**0.5 < 2e-4).all()


def test_another_seed_is_another_map():
    z = [Landscape.of(seed, Z_DIM).z(np.zeros((1, 2)))[0] for seed in (0, 1)]
    assert abs(likeness(*z)) < 0.4


def test_the_middle_fades_with_the_distance(landscape):
    ways = np.array([[0.0, 0.0], [0.7, 0.7], [40.0, -9.0]])
    at, near, far = landscape.likeness(ways)
    assert at == 1.0
    assert 0.5 < near < 0.75
    assert abs(far) < 0.2


def test_axes_rise_steadily_to_a_limit():
    way = np.linspace(-50, 50, 1001)
    for start in (-4.0, -1.0, 0.0, 2.4):
        gone = bounded(np.array(start), way)
        assert (np.diff(gone) >= 0).all()
        assert gone[500] == 0.0
        assert gone[501] == pytest.approx(0.1, rel=0.05)
        reached = start + gone
        assert reached.max() == pytest.approx(max(2.5, start + 0.5), abs=1e-3)
        assert reached.min() == pytest.approx(min(-2.5, start - 0.5), abs=1e-3)
