"""The drawn families: the same pictures everywhere, all different, and good to hand to a trainer."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import astuple
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from engines.starters.drawings import FAMILIES, cats, draw, faces, flowers, landscapes, write_family

# Pictures of 64 px reduced to 4 x 4 pixels, RGB, in hexadecimal. Shipped starters learned from flowers
# and landscapes: when those change, their recipes no longer describe them.
THUMBNAILS = {
    (
        "faces",
        0,
    ): "b6add795746b876356a99fc89b89a075503e6b4637846c7aaaa1cb785754724e4a9d91b89fa2d379849a707a93989acd",
    (
        "faces",
        7,
    ): "93bdd084776d786f6b8bbcd47a7f8394674d82564176899583a4b6a5765a936a5780a7be8db6c7ab9879a28f7386afc3",
    (
        "faces",
        123,
    ): "99cce3aac1ce9db8c990c8e39dc5d9a892839580788dc0da90bed6a08069987c6b87bad691b2cdb97f85b1777f88aac7",
    (
        "cats",
        0,
    ): "5b6e897c8292737c8e4f6482767a88d1b292c9a989656c7f647187c4b29abaa99454647e525f78d9a87cc49570495773",
    (
        "cats",
        7,
    ): "b4d2acb8d1afb4cfabafd0a8a1b2996a5e645b4f589aaf949aaf96675c5d65585a93a99099b295a065539d615095af92",
    (
        "cats",
        123,
    ): "8cc9b8aeb89b88bcae7ab4a795baa4d5a06f9d93906e8f8c8fc1b2d4c8b6c8c4ba89b9af89ac96dda38ec39e9f74a59e",
    (
        "flowers",
        0,
    ): "b7d8b4cfc193cebd8eb1d6b0becca7d07d50c9764ab8c69eafc8a7d7a574d5a372a9c5a39fc0a36191786e9c829dc0a2",
    (
        "flowers",
        7,
    ): "7a6a95a57da5a177a36f5e8e8a7199da8a9eda8a9780639275638ebc7faabb7ea86d59886453825f6d6f59776360577b",
    (
        "flowers",
        123,
    ): "f0dcc5baa9cebaa9cdeedac2d3c0c67f68ad7a62a8d0bdc2decabc9686cb9385c7dbc7b8d8c4b2a8ad7d94a269cbbda4",
    (
        "landscapes",
        0,
    ): "60858c65898f4f78854f78859fb2adafbeb37896a07795a077929b7f98a0718d967c969f3c5d673f606a4969733d5f69",
    (
        "landscapes",
        7,
    ): "aacdbabcd6be83b9b081b9b0c7dabdcadbbebfd6bbbed6bbadc1a4b1c4a6b3c5a8b4c6a85e85786087795680745d8578",
    (
        "landscapes",
        123,
    ): "8e9cc68e9cc694a1c694a1c6cfb3adcfb4aee5d1b7e3cdb7c8a69ccfaa9dcca99dd2ae9f81758d80748c84778d948291",
}

DRAW_ELSEWHERE = """
import sys
from hashlib import sha256
from engines.starters.drawings import draw
families = ("cats", "faces", "flowers", "landscapes")
print(sha256(b"".join(draw(family, 5, 64).tobytes() for family in families)).hexdigest())
print("torch" in sys.modules)
"""


def thumbnail(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((4, 4), Image.Resampling.BOX), dtype=np.int16)


@pytest.mark.parametrize(("family", "index"), THUMBNAILS)
def test_pictures_keep_the_look_that_was_recorded(family, index):
    recorded = np.frombuffer(bytes.fromhex(THUMBNAILS[family, index]), dtype=np.uint8).reshape(4, 4, 3)

    difference = np.abs(thumbnail(draw(family, index, 64)) - recorded)

    # Versions of Pillow round antialiased edges differently; a changed shape or colour moves far more.
    assert difference.max() <= 3


def test_another_process_draws_the_same_bytes_without_torch():
    here = sha256(
        b"".join(draw(family, 5, 64).tobytes() for family in ("cats", "faces", "flowers", "landscapes"))
    ).hexdigest()

    run = subprocess.run(
        [sys.executable, "-c", DRAW_ELSEWHERE],
        env={**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split() == [here, "False"]


def test_a_picture_does_not_depend_on_what_was_drawn_before():
    first = draw("cats", 11, 32).tobytes()
    draw("faces", 3, 48)

    assert draw("cats", 11, 32).tobytes() == first


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_are_rgb_of_the_size_asked_for(family):
    for size in (16, 64, 100, 129):
        picture = draw(family, 2, size)
        assert (picture.mode, picture.size) == ("RGB", (size, size))


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_show_the_same_picture(family):
    difference = np.abs(thumbnail(draw(family, 9, 64)) - thumbnail(draw(family, 9, 256)))

    assert difference.max() <= 6


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_differ_visibly_from_one_another(family):
    small = np.stack([np.asarray(draw(family, index, 16), dtype=np.int16).ravel() for index in range(60)])

    apart = np.abs(small[:, None] - small[None]).mean(axis=2)
    np.fill_diagonal(apart, 255)

    assert apart.min() > 4


@pytest.mark.parametrize(
    ("family", "traits"),
    [
        ("faces", faces.face),
        ("cats", cats.cat),
        ("flowers", flowers.flower),
        ("landscapes", landscapes.landscape),
    ],
)
def test_every_index_of_a_family_has_traits_of_its_own(family, traits):
    count = FAMILIES[family].count

    assert len({astuple(traits(index)) for index in range(count)}) == count


@pytest.mark.parametrize("family", FAMILIES)
def test_hundreds_of_pictures_can_be_drawn_whatever_their_traits(family):
    for index in range(300, 400):
        assert np.asarray(draw(family, index, 16)).std() > 10


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_families_are_described(family):
    assert family.licence == "CC0-1.0"
    assert family.sample_count <= family.count
    assert family.title
    assert family.description
    assert len({family.caption(index) for index in range(50)}) > 30


def test_captions_name_what_is_seen():
    assert cats.caption(0) == "portrait of a cream tabby cat, blue eyes, collar with a bell, navy background"
    assert faces.caption(5) == "portrait of a person, brown hair, pigtails, hoodie, sky blue background"
    assert flowers.caption(4) == "wine red dahlia with a green centre, sky blue background"
    assert landscapes.caption(0) == "hills in green haze, the sun halfway up on the left"


def test_an_unknown_family_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"Choose one of: faces, cats, flowers, landscapes\."):
        draw("dogs", 0)


@pytest.mark.parametrize(("index", "size"), [(-1, 64), (0, 15), (0, 0), (0, -64)])
def test_impossible_requests_are_refused(index, size):
    with pytest.raises(ValueError, match=r"negative|too small"):
        draw("faces", index, size)


def test_write_family_names_files_by_index_and_reports_progress(tmp_path):
    seen = []

    paths = write_family(
        "cats",
        tmp_path / "new" / "cats",
        count=3,
        size=32,
        start=41,
        on_progress=lambda done, count: seen.append((done, count)),
    )

    assert [path.name for path in paths] == ["cats-00041.png", "cats-00042.png", "cats-00043.png"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with Image.open(paths[1]) as picture:
        assert picture.format == "PNG"
        assert picture.convert("RGB").tobytes() == draw("cats", 42, 32).tobytes()


def test_write_family_leaves_nothing_behind_for_an_unknown_name(tmp_path):
    with pytest.raises(ValueError, match="no drawn family"):
        write_family("dogs", tmp_path / "dogs", count=2)

    assert not (tmp_path / "dogs").exists()
