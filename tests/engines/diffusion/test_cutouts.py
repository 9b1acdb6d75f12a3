"""Cutting subjects out of pictures, and setting them into surroundings."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engines.diffusion.cutouts import SIDE, Cutout, cut_out
from engines.diffusion.surroundings import PLACES, place
from engines.images import FloatArray


def picture(box: tuple[int, int, int, int], size: tuple[int, int] = (200, 160)) -> Image.Image:
    """A green meadow with texture, and a red disc in `box` with a small dark mark."""
    rng = np.random.default_rng(0)
    ground = rng.normal((60, 150, 70), 9, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse(box, fill=(205, 48, 40))
    middle = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
    draw.ellipse((middle[0] - 4, middle[1] - 4, middle[0] + 4, middle[1] + 4), fill=(60, 150, 70))
    return image


def disc(height: int, width: int) -> FloatArray:
    y, x = np.mgrid[:height, :width]
    inside = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2 <= 0.25
    mask: FloatArray = inside.astype(np.float32)
    return mask


def test_a_subject_is_found_with_its_small_holes() -> None:
    found = cut_out(picture((60, 40, 140, 120)))
    assert found is not None
    assert found.alpha.shape == pytest.approx((81, 81), abs=2)
    expected = disc(*found.alpha.shape)
    overlap = np.minimum(found.alpha, expected).sum() / np.maximum(found.alpha, expected).sum()
    assert overlap > 0.95
    assert not found.reaches_below
    assert found.pixels.shape == (*found.alpha.shape, 3)


def test_the_same_picture_gives_the_same_cutout() -> None:
    first, second = (cut_out(picture((60, 40, 140, 120))) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.alpha, second.alpha)


def test_a_portrait_reaches_below() -> None:
    found = cut_out(picture((60, 60, 150, 220)))
    assert found is not None
    assert found.reaches_below


def test_large_pictures_are_looked_at_small() -> None:
    found = cut_out(picture((300, 200, 700, 600), size=(1000, 800)))
    assert found is not None
    assert max(found.alpha.shape) <= SIDE


@pytest.mark.parametrize("colour", ["black", "white", (90, 120, 200)])
def test_no_subject_in_one_colour(colour: str | tuple[int, int, int]) -> None:
    assert cut_out(Image.new("RGB", (120, 90), colour)) is None


def test_a_tiny_or_narrow_picture_does_no_harm() -> None:
    for size in ((8, 8), (400, 6), (5, 300)):
        cut_out(Image.new("RGB", size, "red"))


@pytest.mark.parametrize("seed", range(6))
def test_a_subject_stands_in_its_place(seed: int) -> None:
    cutout = Cutout(np.full((40, 20, 3), 255, np.uint8), np.ones((40, 20), np.float32), reaches_below=False)
    placed = place(cutout, 64, np.random.default_rng(seed), mirror=True)
    assert placed.pixels.shape == (64, 64, 3)
    assert placed.place in ("", *PLACES)
    rows, columns = np.nonzero(placed.alpha > 0.99)
    assert (placed.pixels[rows, columns] == 255).all()
    assert 0.72 <= (rows.max() - rows.min() + 1) / 64 <= 0.98
    assert (rows.max() - rows.min()) > (columns.max() - columns.min())


def test_what_a_picture_cuts_off_below_stays_at_the_lower_edge() -> None:
    cutout = Cutout(np.zeros((30, 30, 3), np.uint8), np.ones((30, 30), np.float32), reaches_below=True)
    for seed in range(5):
        placed = place(cutout, 64, np.random.default_rng(seed), mirror=False)
        assert placed.alpha[-1].max() > 0.99
