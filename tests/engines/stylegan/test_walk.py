import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from engines.checkpoint import write_model
from engines.errors import ConfigError
from engines.film_provenance import FilmMarker, read_film_record
from engines.manifest import GENERATOR_FILE, STYLEGAN2, ModelInfo
from engines.provenance import Provenance
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace, slerp
from engines.stylegan.networks import Generator as Network
from engines.stylegan.points import LatentMap, MapPlace, Mix, Seed, Tile, parse_point
from engines.stylegan.walk import preview, walk_frames, walk_latents, write_walk
from engines.stylegan.walking import Walk, parse_walk

from .conftest import TINY

A, B, C = (Seed(seed=seed, truncation=0.8) for seed in (1, 2, 3))


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    info = ModelInfo(family=STYLEGAN2, architecture=TINY.as_dict())
    write_model(folder, info, {GENERATOR_FILE: Network(TINY).state_dict()})
    return LatentSpace(Generator.load(folder, threads=1))


def test_a_walk_begins_and_ends_at_its_points(space):
    walk = Walk(points=(A, B, C), seconds=0.5, fps=8)
    pictures = list(walk_frames(space, walk, batch_size=4))
    assert len(pictures) == walk.frames == 9
    ends = space.images([A, B, C])
    for frame, end in zip((0, 4, 8), ends, strict=True):
        assert np.abs(pictures[frame].astype(int) - end).max() <= 1


def test_a_loop_ends_just_before_its_beginning(space):
    walk = Walk(points=(A, B), seconds=1.0, fps=4, loop=True, easing="linear")
    assert walk.frames == 8
    ws = walk_latents(space, walk)(range(8))
    a, b = space.ws([A, B])
    assert torch.allclose(ws[6], torch.lerp(b, a, 0.5), atol=1e-6)
    steps = torch.cat([ws, ws[:1]]).diff(dim=0).flatten(1).norm(dim=1)
    assert steps.numpy() == pytest.approx(float(steps[0]), rel=1e-4)


def test_a_smooth_walk_rests_at_its_points():
    walk = Walk(points=(A, B), seconds=1.0, fps=60)
    shares = [walk.place(frame)[2] for frame in range(60)]
    assert shares[30] == 0.5
    assert shares[1] < 0.001
    assert max(np.diff(shares)) == pytest.approx(1.5 / 60, rel=0.01)


def test_a_walk_in_z_follows_the_great_circle(space):
    place = MapPlace(map=LatentMap(seed=4), tile=Tile(x=1, y=2))
    walk = Walk(points=(A, place), seconds=1.0, fps=4, space="z", easing="linear", truncation=0.6)
    z = space.z([A, place])
    expected = space.ws_of_z(slerp(z[:1], z[1:], 0.25), 0.6)
    assert torch.allclose(walk_latents(space, walk)([1]), expected, atol=1e-6)


def test_walks_that_are_too_long_say_what_is_allowed(space, tmp_path):
    with pytest.raises(ConfigError, match=r"has 10,001 frames; 3,600 are allowed.*fewer points"):
        Walk(points=tuple(Seed(seed=n) for n in range(11)), seconds=40.0, fps=25)
    with pytest.raises(ConfigError, match="721 frames; 720 are allowed"):
        write_walk(space, Walk(points=(A, B), seconds=30.0), tmp_path / "walk.gif")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"points": (A,)}, "2 to 100 points; you gave 1"),
        ({"seconds": 0.0}, "0.1 to 60 seconds"),
        ({"seconds": float("nan")}, "0.1 to 60 seconds"),
        ({"fps": 0}, "1 to 60 frames"),
        ({"easing": "bouncing"}, "linear"),
        ({"truncation": 50}, "Truncation goes"),
        ({"space": "z", "points": (A, Mix(first=A, second=B))}, "have a place in Z"),
    ],
)
def test_impossible_walks_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Walk(**{"points": (A, B), **values})


def test_frames_are_made_as_they_are_taken(space):
    done = []
    frames = walk_frames(
        space,
        Walk(points=(A, B), seconds=60.0, fps=60 // 2),
        batch_size=2,
        on_batch=lambda *each: done.append(each),
    )
    for _ in range(3):
        next(frames)
    assert done == [(2, 1801), (4, 1801)]


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".zip"])
def test_a_walk_that_is_stopped_leaves_nothing(space, tmp_path, suffix):
    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_walk(space, Walk(points=(A, B)), tmp_path / f"walk{suffix}", on_batch=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_walk_becomes_png_files(space, tmp_path):
    walk = Walk(points=(A, B), seconds=0.5, fps=6)
    assert write_walk(space, walk, tmp_path / "walk.zip") == 4
    with zipfile.ZipFile(tmp_path / "walk.zip") as archive:
        assert archive.namelist() == ["00000.png", "00001.png", "00002.png", "00003.png"]
        packed = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()]
    assert np.array_equal(packed, list(walk_frames(space, walk)))


def test_a_walk_becomes_an_animation(space, tmp_path):
    walk = Walk(points=(A, B), seconds=0.5, fps=6)
    assert write_walk(space, walk, tmp_path / "walk.gif") == 4
    with Image.open(tmp_path / "walk.gif") as animation:
        assert animation.size == (256, 256)
        assert animation.n_frames == 4


def test_other_files_are_not_written(space, tmp_path):
    with pytest.raises(ConfigError, match=r"one of \.mp4, \.gif, \.zip"):
        write_walk(space, Walk(points=(A, B)), tmp_path / "walk.avi")


def test_a_preview_has_both_ends(space):
    walk = Walk(points=(A, B), seconds=2.0)
    assert np.array_equal(preview(space, walk, 2), space.images([A, B]))
    assert preview(space, walk, 5).shape == (5, 16, 16, 3)


def test_a_walk_is_read_from_what_was_written():
    walk = Walk(
        points=(A, MapPlace(map=LatentMap(seed=4), tile=Tile(x=1, y=2))), loop=True, space="z", fps=12
    )
    assert parse_walk(walk.as_json()) == walk
    for nonsense in ({}, {"points": 3}, {**walk.as_json(), "speed": 2}, {**walk.as_json(), "seconds": "2"}):
        with pytest.raises(ConfigError):
            parse_walk(nonsense)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".zip"])
def test_a_walk_says_where_it_comes_from(space, tmp_path, suffix):
    walk, path = Walk(points=(A, B), seconds=0.5, fps=4), tmp_path / f"walk{suffix}"
    record = Provenance(model="tiny", settings=walk.as_record())
    write_walk(space, walk, path, marker=FilmMarker(record))
    with path.open("rb") as file:
        told = read_film_record(file)
    assert told.record == record
    points = json.loads(told.record.settings["Walk"])
    assert [parse_point(point) for point in points] == [A, B]
