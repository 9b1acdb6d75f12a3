"""Which pictures are nearly the same: what was done to a picture must not hide it, and others are others."""

import functools
import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from engines.likeness import LikenessIndex, picture_print
from engines.starters.drawings import draw

COUNT = 12


@functools.cache
def _drawn(count: int) -> list[Image.Image]:
    return [draw("faces", number) for number in range(count)]


def _encoded_again(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def _cropped(image: Image.Image) -> Image.Image:
    return image.crop((0, round(0.05 * image.height), round(0.95 * image.width), image.height))


CHANGES = {
    "resized": lambda image: image.resize((70, 70)),
    "encoded again": _encoded_again,
    "cropped": _cropped,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    "mirrored": ImageOps.mirror,
    "mirrored and cropped": lambda image: _cropped(ImageOps.mirror(image)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_found(change: str) -> None:
    pictures = _drawn(COUNT)
    index = LikenessIndex(np.stack([picture_print(picture) for picture in pictures]))
    changed = np.stack([picture_print(CHANGES[change](picture)) for picture in pictures])

    pairs = index.add(changed)

    found = {pair.second - COUNT for pair in pairs if pair.first == pair.second - COUNT}
    assert len(found) >= 0.95 * COUNT
    assert len(index) == 2 * COUNT


def test_different_pictures_are_no_pairs() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (COUNT, 4, 4, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    assert LikenessIndex().add(noise) == []


def test_pictures_of_one_layout_are_told_apart_by_their_detail() -> None:
    prints = np.stack([picture_print(draw("landscapes", number)) for number in range(40)])
    pairs = LikenessIndex().add(prints)
    assert len(pairs) <= 0.01 * 40 * 39 / 2


def test_parts_hang_together_directly_or_through_others() -> None:
    one, other = (picture_print(picture) for picture in _drawn(2))
    between = (0.5 * one + 0.5 * other).astype(np.uint8)
    near_one, near_other = (
        (0.6 * one + 0.4 * other).astype(np.uint8),
        (0.4 * one + 0.6 * other).astype(np.uint8),
    )
    prints = np.stack([near_one, one[::-1], near_other, between, one[:, ::-1][::-1]])

    assert [sorted(part) for part in LikenessIndex(prints).parts()] == [[0, 2, 3], [1, 4]]
    assert LikenessIndex().parts() == []


def test_pictures_added_one_by_one_make_the_same_pairs() -> None:
    prints = np.stack([picture_print(picture) for picture in _drawn(12)] * 2)
    together, one_by_one = LikenessIndex(), LikenessIndex()

    pairs = together.add(prints)
    collected = [pair for one in prints for pair in one_by_one.add(one[None])]

    assert [(pair.first, pair.second) for pair in pairs] == [(p.first, p.second) for p in collected]
    assert {(index, index + 12) for index in range(12)} <= {(p.first, p.second) for p in pairs}


def test_a_flat_picture_is_like_nothing() -> None:
    flat = np.full((2, 32, 32, 3), 128, np.uint8)
    assert LikenessIndex().add(flat) == []
