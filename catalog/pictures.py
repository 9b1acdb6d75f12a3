"""Pictures that people send: judged by their header, decoded in full, turned upright, brought to sRGB.

The one place where files of strangers are decoded: what is added to datasets, what pictures start from, and
masks. Pillow only: no database, no storage. Of what came the pixels are kept; what it says of its making is
told beside them.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import IO

import numpy as np
import pillow_heif
from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps

from engines.provenance import Provenance, read_record

# By content, not by name.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "HEIF")
LOSSLESS_FORMATS = ("PNG", "BMP", "TIFF")
_RECORD_FORMATS = ("PNG", "JPEG", "WEBP")
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

# Of the threads of a web process one decodes at a time: filters of warnings are the whole process's, and
# several of the largest pictures at once would take its memory.
_one_at_a_time = threading.Lock()


class PictureRefused(Exception):
    """A file is no picture that can be used; the text tells the user what to do next."""


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """What a picture may be. An operator's `TRAINING_LIMITS` override single limits (`training.limits`)."""

    min_side: int = 64  # pixels; the smallest resolution that is trained
    max_pixels: int = 64_000_000
    max_frames: int = 100
    max_picture_bytes: int = 100 << 20

    @classmethod
    def current(cls) -> "PictureLimits":
        """Return the limits in force."""
        overrides = getattr(settings, "TRAINING_LIMITS", {})
        names = {field.name for field in fields(PictureLimits)} & set(overrides)
        return PictureLimits(**{name: overrides[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class ReadPicture:
    """A picture's pixels, upright in RGB, and whether its file held them without loss.

    `record` is what the file says of its making; anybody may have written it.
    """

    image: Image.Image
    is_lossless: bool
    record: Provenance | None


def read_picture(file: IO[bytes], limits: PictureLimits) -> ReadPicture:
    """Decode the picture in a seekable binary file: the first one, where it holds several.

    Transparency is laid on white. The size in pixels is judged before anything is decoded. Raises
    PictureRefused with the plain reason.
    """
    with _one_at_a_time, _opened(file, limits) as opened:
        is_lossless = opened.format in LOSSLESS_FORMATS
        _judge_header(opened, limits)
        try:
            image = _upright_rgb(opened)
            record = read_record(opened) if opened.format in _RECORD_FORMATS else None
            return ReadPicture(image=image, is_lossless=is_lossless, record=record)
        except _DECODER_ERRORS as error:
            raise _damaged() from error


def too_many_bytes(limits: PictureLimits) -> PictureRefused:
    """Return the refusal of a picture whose file is too long."""
    return PictureRefused(
        _("This file has more than %(limit)d MB. Make the picture smaller and add it again.")
        % {"limit": limits.max_picture_bytes >> 20}
    )


@contextmanager
def _opened(file: IO[bytes], limits: PictureLimits) -> Iterator[Image.Image]:
    head = file.read(16)
    file.seek(0)
    if not head:
        raise PictureRefused(_("This file is empty. Choose another one."))
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


def _not_a_picture(head: bytes) -> PictureRefused:
    is_known = head.startswith(_MAGICS) or head[8:12] == b"WEBP"
    if is_known or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS):
        return _damaged()
    return PictureRefused(
        _("This file is not a picture that can be read. Use JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP.")
    )


def _damaged() -> PictureRefused:
    return PictureRefused(_("This picture is damaged or incomplete. Save it again and add it once more."))


def _too_large(limits: PictureLimits) -> PictureRefused:
    return PictureRefused(
        _("This picture has more than %(limit)d megapixels. Make it smaller and add it again.")
        % {"limit": limits.max_pixels // 1_000_000}
    )


def _judge_header(image: Image.Image, limits: PictureLimits) -> None:
    if image.width * image.height > limits.max_pixels:
        raise _too_large(limits)
    if min(image.size) < limits.min_side:
        raise PictureRefused(
            _(
                "This picture is too small: %(width)d × %(height)d pixels. "
                "Each side needs at least %(side)d pixels."
            )
            % {"width": image.width, "height": image.height, "side": limits.min_side}
        )
    if _has_more_frames_than(image, limits.max_frames):
        raise PictureRefused(
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
