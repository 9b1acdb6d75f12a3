"""Pictures as arrays: opening, cutting, converting and laying out in grids. Pillow and NumPy only.

Throughout the engines a batch of pictures is uint8 `[N, H, W, 3]` (RGB, 0 to 255) or float32 `[N, 3, H, W]`
(-1 to 1).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from engines.crops import Box

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

BACKGROUND = (255, 255, 255)  # what shows through transparent pictures


def load_rgb(file: Path | IO[bytes]) -> Image.Image:
    """Open a picture fully decoded, upright (EXIF orientation applied), in RGB, transparency laid on white.

    Raises OSError (Pillow's UnidentifiedImageError included) for what is not a complete picture.
    """
    with Image.open(file) as opened:
        image = ImageOps.exif_transpose(opened)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(canvas, image)
    return image.convert("RGB")


def cut_square(image: Image.Image, box: Box, side: int) -> Image.Image:
    """The part of an RGB `image` inside `box`, resized to `side` x `side` pixels with antialiasing.

    What lies outside the picture takes the average colour of the picture's border, so that bars do not draw a
    hard edge.
    """
    left, upper, right, lower = box
    if left >= 0 and upper >= 0 and right <= image.width and lower <= image.height:
        part = image.crop(box)
    else:
        part = Image.new("RGB", (right - left, lower - upper), _border_colour(image))
        part.paste(image, (-left, -upper))
    return part.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)


def cut_squares(image: Image.Image, boxes: Sequence[Box], side: int) -> UInt8Array:
    """What training sees of an RGB `image`: uint8 `[K, side, side, 3]`, one square for each of K boxes."""
    return np.stack([np.asarray(cut_square(image, box, side)) for box in boxes])


def _border_colour(image: Image.Image) -> tuple[int, int, int]:
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = border.mean(axis=0).round().astype(int).tolist()
    return red, green, blue


def to_uint8(images: FloatArray) -> UInt8Array:
    """Float `[N, 3, H, W]` in -1 to 1 (values beyond are clipped) to uint8 `[N, H, W, 3]`."""
    scaled = np.clip(images * 127.5 + 128.0, 0.0, 255.0)
    return np.ascontiguousarray(scaled.transpose(0, 2, 3, 1).astype(np.uint8))


def to_float(images: UInt8Array) -> FloatArray:
    """uint8 `[N, H, W, 3]` to float32 `[N, 3, H, W]` in -1 to 1, its memory in channels-last order."""
    return (images.astype(np.float32) / 127.5 - 1.0).transpose(0, 3, 1, 2)


def sheet_columns(pictures: int) -> int:
    """How many columns make a sheet of pictures nearly square: as many as rows, or one more."""
    return math.ceil(math.sqrt(pictures))


def grid(images: UInt8Array, *, columns: int) -> UInt8Array:
    """Lay uint8 `[N, H, W, 3]` out row by row as `[rows * H, columns * W, 3]`; missing cells are white."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height, width, channels), 255, dtype=np.uint8)
    cells[:count] = images
    table = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return np.ascontiguousarray(table.reshape(rows * height, columns * width, channels))
