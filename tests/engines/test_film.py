import subprocess
import sys
import zipfile

import av
import numpy as np
import pytest
from PIL import Image

from engines.errors import ConfigError
from engines.film import (
    CAPTION_HEIGHT,
    enlarged,
    write_film,
    write_gif,
    write_picture_sequence,
    write_progress_film,
)


def decoded(path):
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def moving(count, height=64, width=96):
    """A light square that moves over a coloured ground."""
    for number in range(count):
        frame = np.full((height, width, 3), (40, 90, 160), np.uint8)
        frame[16:32, number : number + 16] = 230
        yield frame


def gap(first, second):
    return np.abs(first.astype(int) - second).mean()


def test_the_film_shows_the_frames_in_order(tmp_path):
    path = tmp_path / "film.mp4"
    frames = list(moving(40))
    assert write_film(iter(frames), path, fps=20) == 40
    shown = decoded(path)
    assert len(shown) == 40
    for number in (0, 20, 39):
        assert shown[number].shape == (64, 96, 3)
        assert gap(shown[number], frames[number]) < 4
        assert gap(shown[number], frames[number]) < gap(shown[number], frames[(number + 10) % 40])


def test_it_is_what_every_browser_plays(tmp_path):
    path = tmp_path / "film.mp4"
    write_film(moving(25), path, fps=25)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays before it is loaded completely


def test_odd_sides_are_made_even(tmp_path):
    write_film(moving(2, height=33, width=51), tmp_path / "film.mp4")
    assert decoded(tmp_path / "film.mp4")[0].shape == (34, 52, 3)


def test_the_same_frames_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        write_film(moving(30), tmp_path / f"{name}.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_film_that_fails_leaves_nothing(tmp_path):
    def breaking():
        yield from moving(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(breaking(), tmp_path / "film.mp4")
    with pytest.raises(ConfigError, match="first snapshot"):
        write_film([], tmp_path / "film.mp4")
    with pytest.raises(ConfigError, match="same size"):
        write_film([*moving(1), *moving(1, width=64)], tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_progress_stands_still_and_fades(tmp_path):
    colours = {"Step 250": (200, 40, 40), "Step 500": (40, 160, 40), "Step 750": (40, 60, 220)}
    grids = []
    for caption, colour in colours.items():
        path = tmp_path / f"{caption}.png"
        Image.new("RGB", (448, 256), colour).save(path)
        grids.append((caption, path))
    film = tmp_path / "progress.mp4"
    count = write_progress_film(iter(grids), film, fps=10)
    assert count == 5 + 3 + 5 + 3 + 20
    shown = decoded(film)
    assert len(shown) == count
    assert shown[0].shape == (2 * 256 + CAPTION_HEIGHT, 2 * 448, 3)

    def colour_of(number):
        return shown[number][100, 100].astype(int)

    assert np.abs(colour_of(4) - (200, 40, 40)).max() < 6
    assert np.abs(colour_of(6) - (120, 100, 40)).max() < 8  # half way to the second
    assert np.abs(colour_of(-1) - (40, 60, 220)).max() < 6
    captions = [shown[number][512:] for number in (0, 9, -1)]
    assert all(caption.min() < 80 and caption.mean() > 200 for caption in captions)
    assert gap(captions[0], captions[1]) > 0.5


def test_an_animation_has_one_palette_and_keeps_time(tmp_path):
    path = tmp_path / "film.gif"
    frames = list(moving(24))
    assert write_gif(iter(frames), path, fps=24, colours=np.stack(frames[::8])) == 24
    with Image.open(path) as animation:
        assert animation.n_frames == 24
        assert animation.info["loop"] == 0
        milliseconds, grounds = 0, set()
        for number, frame in enumerate(frames):
            animation.seek(number)
            milliseconds += animation.info["duration"]
            shown = animation.convert("RGB")
            grounds.add(shown.getpixel((0, 0)))
            assert gap(np.asarray(shown), frame) < 1
    assert milliseconds == 1000
    assert len(grounds) == 1


def test_packed_pictures_are_exact_and_the_same_each_time(tmp_path):
    frames = list(moving(3))
    for name in ("a", "b"):
        assert write_picture_sequence(iter(frames), tmp_path / f"{name}.zip") == 3
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("00002.png") as file:
        assert np.array_equal(np.asarray(Image.open(file)), frames[2])


def test_what_cannot_be_animated_leaves_nothing(tmp_path):
    colours = np.stack(list(moving(1)))
    with pytest.raises(ConfigError, match="at least one"):
        write_gif([], tmp_path / "film.gif", fps=24, colours=colours)
    with pytest.raises(ConfigError, match="same size"):
        write_gif([*moving(1), *moving(1, width=64)], tmp_path / "film.gif", fps=24, colours=colours)
    with pytest.raises(ConfigError, match="at least one"):
        write_picture_sequence([], tmp_path / "film.zip")
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_enlarged_by_a_whole_factor():
    frame = next(moving(1))
    assert enlarged(frame, 3).shape == (192, 288, 3)
    assert enlarged(frame, 1) is frame


def test_filming_takes_no_torch():
    command = "import sys, engines.film; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
