"""Checking a picture that arrived, and making it safe and uniform. Pillow only: no database, no storage.

What is kept is never what was sent: a picture is decoded in full, turned upright, brought to sRGB without
transparency, and encoded anew. So metadata (places, names), trailers and polyglots do not survive, and
training reads one kind of file.

Pictures that arrive without loss (PNG, BMP, TIFF) stay lossless as PNG up to `LOSSLESS_PIXELS`: drawings are
small that way and exact. All others become JPEG of quality 95 without chroma subsampling: its error lies
below what training sees after resizing, and it encodes ten times faster than PNG or WebP.
"""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
import pillow_heif
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps

from engines.likeness import picture_print
from engines.measures import Measures, at_measured_side, measure_picture
from training.exceptions import FileRefused
from training.limits import Limits

# By content, not by name.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "HEIF")
LOSSLESS_FORMATS = ("PNG", "BMP", "TIFF")
LOSSLESS_PIXELS = 4_000_000
# Training never reads more than 1,024 pixels a side; twice that leaves room for a crop.
KEPT_SHORTER_SIDE = 2048
THUMBNAIL_SIDE = 320
# Brightest minus darkest value, out of 255, of a picture that is taken for one flat colour.
FLAT_RANGE = 4
BLACK_BELOW = 8
_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*")
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
# Decoders are C libraries behind thin parsers; damaged bytes surface as any of these.
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, MemoryError,
    RuntimeError,
)  # fmt: skip

# Only the picture itself is read of a HEIC, not what phones add to it. Its own threads would take the cores
# of other jobs.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a picture looks when it is small, and what is told from that."""

    thumbnail: bytes  # WebP, at most THUMBNAIL_SIDE a side
    measures: Measures
    pixels: bytes  # of its print (engines.likeness)


@dataclass(frozen=True, kw_only=True)
class CheckedPicture:
    """A picture as it is kept. `sha256` is over the upright RGB pixels, before they are encoded."""

    sha256: str
    width: int
    height: int
    content: bytes
    extension: str
    look: Look


def check_picture(file: IO[bytes], limits: Limits) -> CheckedPicture:
    """Decode, judge and re-encode the picture in a seekable binary file.

    The size in pixels is judged before anything is decoded. Raises FileRefused with the plain reason.
    """
    with _opened(file, limits) as opened:
        lossless = opened.format in LOSSLESS_FORMATS
        _judge_header(opened, limits)
        try:
            image = _upright_rgb(opened)
        except _DECODER_ERRORS as error:
            raise _damaged() from error
    image = _reduced(image)
    small = at_measured_side(image)
    _judge_pixels(small)
    content, extension = _encode(image, lossless=lossless)
    return CheckedPicture(
        sha256=pixel_sha256(image),
        width=image.width,
        height=image.height,
        content=content,
        extension=extension,
        look=look_of(small),
    )


def pixel_sha256(image: Image.Image) -> str:
    """SHA-256 over the size and the RGB pixels: equal for equal pictures, whatever file they came in."""
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def look_of(image: Image.Image) -> Look:
    """Thumbnail, figures and print of an RGB picture; all come from one small copy of it."""
    small = at_measured_side(image)
    return Look(
        thumbnail=make_thumbnail(small),
        measures=measure_picture(small),
        pixels=picture_print(small).tobytes(),
    )


def make_thumbnail(image: Image.Image) -> bytes:
    """The whole picture as a WebP of at most THUMBNAIL_SIDE pixels a side."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=82, method=2)
    return buffer.getvalue()


@contextmanager
def _opened(file: IO[bytes], limits: Limits) -> Iterator[Image.Image]:
    head = file.read(16)
    file.seek(0)
    if not head:
        raise FileRefused(_("This file is empty. Choose another one."))
    # Pillow only warns up to twice its limit; here too many pixels are an error, before a byte is decoded.
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(limits) from error
        except _DECODER_ERRORS as error:
            raise _not_a_picture(head) from error
        with image:
            yield image


def _not_a_picture(head: bytes) -> FileRefused:
    is_known = head.startswith(_MAGICS) or head[8:12] == b"WEBP"
    if is_known or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS):
        return _damaged()
    return FileRefused(
        _("This file is not a picture that can be read. Use JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP.")
    )


def _damaged() -> FileRefused:
    return FileRefused(_("This picture is damaged or incomplete. Save it again and add it once more."))


def _too_large(limits: Limits) -> FileRefused:
    return FileRefused(
        _("This picture has more than %(limit)d megapixels. Make it smaller and add it again.")
        % {"limit": limits.max_pixels // 1_000_000}
    )


def _judge_header(image: Image.Image, limits: Limits) -> None:
    if image.width * image.height > limits.max_pixels:
        raise _too_large(limits)
    if min(image.size) < limits.min_side:
        raise FileRefused(
            _(
                "This picture is too small: %(width)d × %(height)d pixels. "
                "Each side needs at least %(side)d pixels."
            )
            % {"width": image.width, "height": image.height, "side": limits.min_side}
        )
    if _has_more_frames_than(image, limits.max_frames):
        raise FileRefused(
            _("This file holds more than %(limit)d frames. Save the one that you want as a single picture.")
            % {"limit": limits.max_frames}
        )


def _has_more_frames_than(image: Image.Image, limit: int) -> bool:
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1) > limit
    # A TIFF does not say how many pages it has: counting all of them is what an attacker would want.
    try:
        image.seek(limit)
    except EOFError:
        return False
    except _DECODER_ERRORS as error:
        raise _damaged() from error
    finally:
        image.seek(0)
    return True


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode[0] in "IF":
        return _grey_from_deep(image)
    if image.has_transparency_data:
        # White, as training lays it (engines.images.load_rgb).
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
        return image.convert("RGB")
    if image.mode in {"RGB", "CMYK", "L"} and profile:
        image = _to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_from_deep(image: Image.Image) -> Image.Image:
    """16-bit pictures keep their upper byte; 32-bit ones, which have no agreed white, their full range."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = (values >> 8).astype(np.uint8)
    else:
        finite = np.nan_to_num(values.astype(np.float32))
        low, high = float(finite.min()), float(finite.max())
        grey = ((finite - low) * (255.0 / max(high - low, 1e-9))).astype(np.uint8)
    return Image.fromarray(grey, mode="L").convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as they were meant, since the profile does not survive; a damaged profile is ignored."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _judge_pixels(image: Image.Image) -> None:
    # Averaged first: compression noise and single stray pixels must not make a picture of a flat one.
    small = np.asarray(image.reduce(max(1, min(image.size) // 128))).reshape(-1, 3).astype(int)
    darkest, brightest = small.min(axis=0), small.max(axis=0)
    if (brightest - darkest).max() > FLAT_RANGE:
        return
    if brightest.max() <= BLACK_BELOW:
        raise FileRefused(_("This picture is all black. Choose one that shows something."))
    raise FileRefused(_("This picture is one flat colour. Choose one that shows something."))


def _reduced(image: Image.Image) -> Image.Image:
    shorter = min(image.size)
    if shorter <= KEPT_SHORTER_SIDE:
        return image
    scale = KEPT_SHORTER_SIDE / shorter
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _encode(image: Image.Image, *, lossless: bool) -> tuple[bytes, str]:
    # Nothing of the original's metadata can be carried along by a save.
    clean = image.copy()
    clean.info = {}
    buffer = io.BytesIO()
    if lossless and image.width * image.height <= LOSSLESS_PIXELS:
        clean.save(buffer, format="PNG", compress_level=6)
        return buffer.getvalue(), "png"
    clean.save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue(), "jpg"
