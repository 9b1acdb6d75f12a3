"""Files that the tests send: good pictures, and every bad one that a stranger could think of."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image


def picture(seed: int = 0, *, width: int = 96, height: int = 80) -> Image.Image:
    """A small picture with soft shapes, different for every seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, image_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def png(seed: int = 0, **size: int) -> bytes:
    return encoded(picture(seed, **size))


def png_of_claimed_size(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises `width` x `height` pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animation(frames: int, image_format: str = "WEBP") -> bytes:
    images = [picture(index) for index in range(frames)]
    return encoded(images[0], image_format, save_all=True, append_images=images[1:])


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zip_with_symlink(target: str = "/etc/passwd") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
        archive.writestr("good.png", png(1))
    return buffer.getvalue()


def zip_marked_encrypted() -> bytes:
    """The encryption flag set in both headers of the first of two members."""
    content = bytearray(zipped({"secret.png": png(1), "good.png": png(2)}))
    for signature, flag_offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flag_offset] |= 1
    return bytes(content)


def zip_lying_about_size() -> bytes:
    """A member that unpacks to far more than its header says."""
    content = bytearray(zipped({"bomb.png": b"\0" * 5_000_000}))
    for signature, size_offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + size_offset, 1000)
    return bytes(content)


def zip_overlapping(copies: int = 50) -> bytes:
    """Many directory entries that all point at the same compressed bytes."""
    source = zipped({"one.bin": b"\0" * 1_000_000})
    directory_at = source.index(b"PK\x01\x02")
    end_at = source.index(b"PK\x05\x06")
    entry = source[directory_at:end_at]
    end = bytearray(source[end_at:])
    struct.pack_into("<HH", end, 8, copies, copies)
    struct.pack_into("<I", end, 12, len(entry) * copies)
    return source[:directory_at] + entry * copies + bytes(end)
