"""What is measured of a picture: blur, brightness and what is lost in black or white."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engines.measures import BLURRED_ABOVE, measure_picture
from engines.starters.drawings import draw


@pytest.mark.parametrize("number", range(4))
def test_a_blurred_picture_is_told_from_a_sharp_one(number: int) -> None:
    sharp = draw("faces", number, 512)
    blurred = sharp.filter(ImageFilter.GaussianBlur(6))

    assert measure_picture(sharp).blur < BLURRED_ABOVE < measure_picture(blurred).blur


def test_the_size_of_a_picture_does_not_count() -> None:
    picture = draw("faces", 1, 512)
    large = picture.resize((1536, 1536), Image.Resampling.LANCZOS)

    assert measure_picture(large).blur == pytest.approx(measure_picture(picture).blur, abs=0.03)


def test_exposure() -> None:
    half = np.zeros((64, 64, 3), np.uint8)
    half[:, 32:] = 255
    measures = measure_picture(Image.fromarray(half))

    assert measures.brightness == pytest.approx(0.5)
    assert measures.contrast == pytest.approx(0.5)
    assert measures.black_share == measures.white_share == pytest.approx(0.5)


def test_a_flat_picture_counts_as_blurred() -> None:
    assert measure_picture(Image.new("RGB", (64, 64), (90, 90, 90))).blur == 1.0
