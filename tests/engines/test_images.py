import numpy as np
import pytest
from PIL import Image

from engines.images import cut_square, grid, load_rgb, to_float, to_uint8


def test_uint8_survives_the_way_to_float_and_back():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    floats = to_float(values)
    assert floats.shape == (1, 3, 16, 16)
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (-1.0, 1.0)
    assert np.array_equal(to_uint8(floats), values)


def test_values_out_of_range_are_clipped():
    assert to_uint8(np.full((1, 3, 1, 1), 7.0, np.float32)).max() == 255
    assert to_uint8(np.full((1, 3, 1, 1), -7.0, np.float32)).min() == 0


def test_grid_lays_out_row_by_row():
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)
    table = grid(images, columns=2)
    assert table.shape == (4, 4, 3)
    assert table[0, 0, 0] == 0
    assert table[0, 2, 0] == 1
    assert table[2, 0, 0] == 2
    assert table[3, 3, 0] == 255


def test_transparent_pictures_stand_on_white(tmp_path):
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert load_rgb(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16"])
def test_every_colour_mode_becomes_rgb(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "picture.tiff")
    assert load_rgb(tmp_path / "picture.tiff").mode == "RGB"


def test_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (8, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert load_rgb(tmp_path / "turned.jpg").size == (4, 8)


def test_cut_inside_resizes_the_box_only():
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (20, 0, 40, 20))
    cut = np.asarray(cut_square(image, (20, 0, 40, 20), 8))
    assert cut.shape == (8, 8, 3)
    assert (cut == (0, 0, 255)).all()


def test_cut_beyond_the_picture_is_filled_with_its_border_colour():
    image = Image.new("RGB", (40, 20), (10, 200, 30))
    cut = np.asarray(cut_square(image, (0, -10, 40, 30), 8))
    assert (cut == (10, 200, 30)).all()
