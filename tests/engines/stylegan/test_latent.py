"""What points mean in a model, on a tiny one with random weights."""

import numpy as np
import pytest
import torch
from torch import nn

from engines.checkpoint import write_model
from engines.errors import ConfigError, ModelError
from engines.manifest import GENERATOR_FILE, STYLEGAN2, STYLEGAN3, ModelInfo
from engines.stylegan import stylegan3
from engines.stylegan.directions import Directions, mapped_samples
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace, render_tiles, slerp
from engines.stylegan.latent_map import Landscape
from engines.stylegan.layers import bands, layer_resolutions
from engines.stylegan.networks import Generator as Network
from engines.stylegan.points import LatentMap, MapPlace, Mix, Move, Moved, Seed, Tile, Vector

from .conftest import TINY


def write_tiny(folder, *, seed=0, lineage=()):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    network = Network(TINY)
    network.mapping.w_avg.copy_(torch.randn(TINY.w_dim))
    info = ModelInfo(family=STYLEGAN2, architecture=TINY.as_dict(), name="Tiny", lineage=lineage)
    write_model(folder, info, {GENERATOR_FILE: network.state_dict()})
    return Generator.load(folder, threads=1)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def space(generator):
    return LatentSpace(generator)


def vector_of(space, point, *, model=None):
    return Vector.of(space.ws([point])[0].numpy(), model=model or space.generator.info.sha256)


def test_a_seed_shows_what_the_generator_makes_of_it(space, generator):
    points = [Seed(seed=seed, truncation=0.6) for seed in (3, 1)]
    assert np.array_equal(space.images(points), generator.images([3, 1], truncation_psi=0.6))


def test_a_vector_shows_the_picture_it_was_pinned_at(space):
    seed = Seed(seed=7, truncation=0.9)
    assert torch.equal(space.ws([vector_of(space, seed)]), space.ws([seed]))


def test_one_row_serves_all_layers(space):
    row = space.ws([Seed(seed=7)])[0, :1].numpy()
    assert torch.equal(
        space.ws([Vector.of(row, model=space.generator.info.sha256)]), space.ws([Seed(seed=7)])
    )


def test_a_mix_takes_coarse_layers_of_one_and_fine_ones_of_the_other(space):
    first, second = Seed(seed=1), Seed(seed=2)
    a, b = space.ws([first, second])
    mixed = space.ws([Mix(first=first, second=second, coarse=0.0, middle=1.0, fine=0.5)])[0]
    # 16 pixels: 4 is coarse, 8 middle, 16 fine; w 0 works at 4, 1 and 2 at 8, the others at 16.
    assert torch.equal(mixed[:1], a[:1])
    assert torch.allclose(mixed[1:3], b[1:3], atol=1e-6)
    assert torch.allclose(mixed[3:], (a[3:] + b[3:]) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("resolution", "sides"),
    [(8, [4, 8]), (16, [4, 8, 16]), (64, [8, 16, 64]), (256, [8, 32, 256]), (1024, [8, 32, 1024])],
)
def test_layers_are_grouped_by_resolution(resolution, sides):
    found = bands(STYLEGAN2, {"resolution": resolution})
    shares = found.shares(coarse=1.0, middle=2.0, fine=3.0)
    resolutions = np.array(layer_resolutions(resolution))
    assert [resolutions[shares == group].max() for group in range(1, len(sides) + 1)] == sides


def test_sliders_move_along_principal_directions_in_standard_deviations(space):
    start = Seed(seed=1)
    move = Move(direction=1, strength=2.0, first=1, last=2)
    change = (space.ws([Moved(point=start, moves=(move,))]) - space.ws([start]))[0]
    expected = 2.0 * space.directions.deviations[1] * space.directions.basis[1]
    assert torch.allclose(change[1:3], expected.expand(2, -1), atol=1e-5)
    assert not change[0].any()
    assert not change[3:].any()


def test_directions_are_those_of_a_plain_analysis(space, generator):
    w = mapped_samples(generator).numpy().astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(w.T))
    found = space.directions
    assert found.deviations.numpy() == pytest.approx(np.sqrt(values[::-1]), rel=1e-4)
    agreement = np.abs((found.basis.numpy() * vectors.T[::-1]).sum(axis=1))
    assert agreement == pytest.approx(1.0, abs=1e-4)
    strongest = found.basis.gather(1, found.basis.abs().argmax(dim=1, keepdim=True))
    assert (strongest > 0).all()


def test_directions_are_kept_for_one_generator(generator, tmp_path, monkeypatch):
    found = Directions.of(generator, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    assert generator.info.sha256 in file.name
    with monkeypatch.context() as patch:
        patch.setattr(Directions, "_find", None)
        kept = Directions.of(generator, folder=tmp_path)
    assert torch.equal(kept.basis, found.basis)
    file.write_bytes(b"damaged")
    assert torch.equal(Directions.of(generator, folder=tmp_path).basis, found.basis)


def test_directions_by_the_weights_are_the_singular_vectors_of_the_layers(generator):
    found = Directions.of(generator, method="sefa")
    layers = [m.affine.weight for m in generator.synthesis.modules() if hasattr(m, "affine")]
    rows = nn.functional.normalize(torch.cat(layers).double(), dim=1)
    singular = torch.linalg.svd(rows).Vh
    assert (found.basis.double() * singular).sum(dim=1).abs().numpy() == pytest.approx(1.0, abs=1e-4)
    assert (found.deviations > 0).all()


def test_a_map_shows_its_centre_and_far_from_it_nothing_of_it(space):
    centre = Seed(seed=4, truncation=0.5)
    with_centre, without = LatentMap(centre=centre), LatentMap()
    assert torch.allclose(space.map_ws(with_centre, [Tile(x=0, y=0)]), space.ws([centre]), atol=1e-5)
    far = [Tile(x=400, y=-300)]
    change = space.map_ws(with_centre, far) - space.map_ws(without, far)
    whole = space.ws([centre]) - space.map_ws(without, [Tile(x=0, y=0)])
    assert change.norm() < 0.25 * whole.norm()


def test_a_map_can_be_centred_on_what_has_no_z(space):
    projected = Vector.of(
        np.random.default_rng(0).normal(size=(TINY.num_ws, TINY.w_dim)).astype(np.float32),
        model=space.generator.info.sha256,
    )
    shown = space.map_ws(LatentMap(centre=projected, axes=(0, 1)), [Tile(x=0, y=0)])
    assert torch.allclose(shown[0], torch.from_numpy(projected.values), atol=1e-4)


def test_axes_set_the_coordinates_along_two_directions(space):
    latent_map = LatentMap(axes=(1, 0), distance=0.5, truncation=1.0)
    tiles = [Tile(x=x, y=0) for x in range(-20, 21)]
    ws = space.map_ws(latent_map, tiles)[:, 0]
    along, across = ((ws - space.directions.mean) @ space.directions.step(n) for n in (1, 0))
    along = along / space.directions.deviations[1] ** 2
    across = across / space.directions.deviations[0] ** 2
    assert (along.diff() >= -1e-4).all()
    assert float(along[21] - along[20]) == pytest.approx(0.5, abs=0.1)
    assert along.abs().max() <= 2.6
    assert across.std() < 0.01


def test_zoom_levels_share_their_pictures(space):
    latent_map = LatentMap(axes=(0, 1), centre=Seed(seed=2))
    coarse = render_tiles(space, latent_map, [Tile(x=x, y=1) for x in range(-2, 2)])
    fine = render_tiles(space, latent_map, [Tile(x=2 * x, y=2, zoom=1) for x in range(-2, 2)])
    assert np.array_equal(coarse, fine)


def test_tiles_are_the_same_in_any_company(space):
    tiles = [Tile(x=x, y=y) for x in range(3) for y in range(3)]
    done = []
    together = render_tiles(space, LatentMap(), tiles, batch_size=4, on_batch=lambda *each: done.append(each))
    assert together.shape == (9, 16, 16, 3)
    assert done == [(4, 9), (8, 9), (9, 9)]
    alone = render_tiles(space, LatentMap(), tiles[4:5])[0]
    assert np.abs(together[4].astype(int) - alone).max() <= 1
    assert render_tiles(space, LatentMap(), []).shape == (0, 16, 16, 3)


def test_a_place_of_a_map_is_a_point(space):
    latent_map, tile = LatentMap(seed=5), Tile(x=3, y=-2, zoom=1)
    assert torch.equal(space.ws([MapPlace(map=latent_map, tile=tile)]), space.map_ws(latent_map, [tile]))


def test_the_same_place_in_two_models_comes_from_the_same_z(space, tmp_path):
    other = LatentSpace(write_tiny(tmp_path, seed=1))
    place = MapPlace(map=LatentMap(seed=5), tile=Tile(x=3, y=-2))
    expected = Landscape.of(5, TINY.z_dim).z(np.array([[1.5, -1.0]]))
    for each in (space, other):
        assert np.array_equal(each.z([place]).numpy(), expected)


def test_points_of_other_models_are_refused_with_what_differs(space, tmp_path):
    wide = Vector.of(np.zeros((1, 99), np.float32), model="b" * 64)
    with pytest.raises(ModelError, match=r"1 x 99 values, and this model takes 6 x 8.*bbbbbbbbbbbb"):
        space.ws([wide])
    pinned = vector_of(space, Seed(seed=1))
    stranger = LatentSpace(write_tiny(tmp_path / "stranger", seed=1))
    with pytest.raises(ModelError, match="from which this one"):
        stranger.ws([pinned])
    related = LatentSpace(stranger.generator, relatives=frozenset({pinned.model}))
    assert torch.equal(related.ws([pinned]), space.ws([pinned]))


def test_points_carry_over_to_what_was_made_from_their_model(space, tmp_path):
    lineage = ({"kind": "model", "sha256": space.generator.info.sha256},)
    child = LatentSpace(write_tiny(tmp_path, seed=1, lineage=lineage))
    pinned = vector_of(space, Seed(seed=1))
    assert torch.equal(child.ws([pinned]), space.ws([pinned]))


def test_layers_and_directions_that_are_not_there_are_named(space):
    for move, message in [
        (Move(direction=60, strength=1.0), "8 directions, numbered from 0; there is no number 60"),
        (Move(direction=0, strength=1.0, first=6), "6 layers, numbered from 0; there is no layer 6"),
    ]:
        with pytest.raises(ConfigError, match=message):
            space.ws([Moved(point=Seed(seed=0), moves=(move,))])
    with pytest.raises(ConfigError, match="no number 9"):
        space.map_ws(LatentMap(axes=(0, 9)), [Tile(x=0, y=0)])


def test_only_some_points_have_a_z(space):
    place = MapPlace(map=LatentMap(centre=Seed(seed=1)), tile=Tile(x=0, y=0))
    with pytest.raises(ConfigError, match="Walk in W"):
        space.z([Seed(seed=1), place])


def test_slerp_turns_evenly_and_keeps_the_length():
    rng = torch.Generator().manual_seed(0)
    a, b = torch.nn.functional.normalize(torch.randn(2, 64, generator=rng, dtype=torch.float64))
    whole = (a @ b).acos()
    for share in (0.0, 0.25, 0.5, 1.0):
        point = slerp(a, b, share)
        assert float(point.norm()) == pytest.approx(1.0)
        assert float((a @ point).clamp(-1, 1).acos()) == pytest.approx(float(share * whole), abs=1e-6)
    assert float(slerp(2 * a, 4 * b, 0.5).norm()) == pytest.approx(3.0)
    assert torch.allclose(slerp(a, a, 0.3), a)


def test_stylegan3_has_points_too(tmp_path):
    sizes = {"z_dim": 8, "w_dim": 8, "num_layers": 4, "channel_base": 256, "channel_max": 8}
    architecture = stylegan3.Architecture(resolution=16, **sizes)
    torch.manual_seed(0)
    info = ModelInfo(family=STYLEGAN3, architecture=architecture.as_dict())
    write_model(tmp_path, info, {GENERATOR_FILE: stylegan3.Generator(architecture).state_dict()})
    space = LatentSpace(Generator.load(tmp_path))
    mixed = Mix(first=Seed(seed=1), second=Seed(seed=2), coarse=1.0)
    assert space.images([mixed]).shape == (1, 16, 16, 3)
    assert (space.bands.coarse, space.bands.middle, space.bands.total) == (2, 4, 6)
    assert len(Directions.of(space.generator, method="sefa")) == 8
