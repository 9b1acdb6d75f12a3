"""Pictures on their way into a network and out of it, boxes back onto the picture that they were found on."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engines.errors import ModelError
from engines.images import FloatArray, load_rgb
from engines.onnx.ports import Picture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 64_000_000
MAX_SIDE = 2048
# Decoders are C libraries behind thin parsers; damaged bytes surface as any of these.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a picture came to lie in what the network sees: its scale there, the margins left and above."""

    scale_x: float
    scale_y: float
    left: float
    upper: float
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What the network was given: its width and height in pixels, and where the picture lies in it."""

    width: int
    height: int
    placed: Placed


def open_picture(path: Path) -> Image.Image:
    """Open a stranger's picture: upright, RGB, no larger than MAX_SIDE.

    The size in pixels is judged before anything is decoded. Raises ModelError with a plain reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as opened:
                _judge(opened)
            image = load_rgb(path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = MAX_PIXELS // 1_000_000
        raise ModelError(f"This picture has more than {limit} megapixels. Make it smaller.") from error
    except _DECODER_ERRORS as error:
        raise ModelError(
            "This picture cannot be read. Use a whole JPEG, PNG, WebP, AVIF, TIFF or BMP."
        ) from error
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return image


def _judge(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError


def png(image: Image.Image) -> bytes:
    """Encode a picture without anything that came with it."""
    clean = image.copy()
    clean.info = {}
    buffer = io.BytesIO()
    clean.save(buffer, format="PNG")
    return buffer.getvalue()


def to_tensor(image: Image.Image, spec: Picture) -> tuple[FloatArray, Placed]:
    """Return an RGB picture as float32 `[1, C, H, W]` (or `[1, H, W, C]`), and where it lies in it."""
    fitted, placed = _fit(image, spec)
    pixels = np.asarray(fitted.convert("L" if spec.channels == 1 else "RGB"), np.float32) / 255
    pixels = pixels.reshape(fitted.height, fitted.width, spec.channels)
    scaled = (pixels - np.asarray(spec.mean, np.float32)) / np.asarray(spec.std, np.float32)
    if not spec.channels_last:
        scaled = scaled.transpose(2, 0, 1)
    return np.ascontiguousarray(scaled[None], dtype=np.float32), placed


def from_tensor(tensor: FloatArray, spec: Picture, frame: Frame | None = None) -> Image.Image:
    """Return the picture that a tensor `[1, C, H, W]` (or without the 1) holds, in RGB or greys.

    The margins that `frame` tells of are cut off again. Raises ModelError where the tensor is no picture.
    """
    array = tensor[0] if tensor.ndim == 4 and tensor.shape[0] == 1 else tensor
    if array.ndim == 2:
        array = array[None] if not spec.channels_last else array[..., None]
    if array.ndim == 3 and not spec.channels_last:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != spec.channels or not array.size:
        raise ModelError(f"The model gave numbers of the shape {list(tensor.shape)}, which is no picture.")
    if max(array.shape[:2]) > 4 * MAX_SIDE:
        raise ModelError("The picture that the model gave is too large. Give it a smaller one.")
    if not np.isfinite(array).all():
        raise ModelError("The model gave numbers that are no colours (infinite or not a number).")
    pixels = array * np.asarray(spec.std, np.float32) + np.asarray(spec.mean, np.float32)
    whole = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    image = Image.fromarray(whole[..., 0] if spec.channels == 1 else whole)
    return image if frame is None else _without_margins(image, frame)


def _without_margins(image: Image.Image, frame: Frame) -> Image.Image:
    placed = frame.placed
    by_x, by_y = image.width / frame.width, image.height / frame.height
    box = (
        round(placed.left * by_x),
        round(placed.upper * by_y),
        round((placed.left + placed.width * placed.scale_x) * by_x),
        round((placed.upper + placed.height * placed.scale_y) * by_y),
    )
    box = (max(0, box[0]), max(0, box[1]), min(image.width, box[2]), min(image.height, box[3]))
    return image.crop(box) if box[2] > box[0] and box[3] > box[1] else image


def box_on_picture(corners: Sequence[float], placed: Placed) -> list[float]:
    """Return corners in network pixels as left, upper, right, lower in parts (0 to 1) of the picture."""
    left, upper, right, lower = corners
    found = (
        (left - placed.left) / placed.scale_x / placed.width,
        (upper - placed.upper) / placed.scale_y / placed.height,
        (right - placed.left) / placed.scale_x / placed.width,
        (lower - placed.upper) / placed.scale_y / placed.height,
    )
    return [round(min(1.0, max(0.0, float(side))), 4) for side in found]


def _fit(image: Image.Image, spec: Picture) -> tuple[Image.Image, Placed]:
    if spec.width:
        return _fit_fixed(image, spec)
    fitted = image.copy()
    fitted.thumbnail((spec.max_side, spec.max_side), Image.Resampling.LANCZOS)
    placed = Placed(
        scale_x=fitted.width / image.width,
        scale_y=fitted.height / image.height,
        left=0,
        upper=0,
        width=image.width,
        height=image.height,
    )
    return _fill_up(fitted, spec.multiple), placed


def _fill_up(image: Image.Image, multiple: int) -> Image.Image:
    """Repeat the last column and row until both sides are a multiple."""
    right, below = -image.width % multiple, -image.height % multiple
    if not right and not below:
        return image
    return Image.fromarray(np.pad(np.asarray(image), ((0, below), (0, right), (0, 0)), mode="edge"))


def _fit_fixed(image: Image.Image, spec: Picture) -> tuple[Image.Image, Placed]:
    by_x, by_y = spec.width / image.width, spec.height / image.height
    if spec.fit != "stretch":
        by_x = by_y = min(by_x, by_y) if spec.fit == "contain" else max(by_x, by_y)
    size = (max(1, round(image.width * by_x)), max(1, round(image.height * by_y)))
    resized = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    left, upper = (spec.width - size[0]) // 2, (spec.height - size[1]) // 2
    canvas = Image.new("RGB", (spec.width, spec.height), (255, 255, 255))
    canvas.paste(resized, (left, upper))
    placed = Placed(
        scale_x=by_x, scale_y=by_y, left=left, upper=upper, width=image.width, height=image.height
    )
    return canvas, placed
