"""Pictures as they arrive: what is refused and why, and what is kept."""

import io
import resource

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.training import crafted
from training.exceptions import FileRefused
from training.ingest import KEPT_SHORTER_SIDE, THUMBNAIL_SIDE, CheckedPicture, check_picture
from training.limits import Limits

LIMITS = Limits()


def check(content: bytes, limits: Limits = LIMITS) -> CheckedPicture:
    return check_picture(io.BytesIO(content), limits)


def kept(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(check(content).content))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "HEIF"])
def test_formats_are_recognised_by_content(image_format):
    checked = check(crafted.encoded(crafted.picture(1), image_format))
    assert (checked.width, checked.height) == (96, 80)
    assert Image.open(io.BytesIO(checked.content)).size == (96, 80)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF"])
def test_lossless_pictures_stay_exact(image_format):
    assert np.array_equal(kept(crafted.encoded(crafted.picture(2), image_format)), crafted.picture(2))


def test_the_same_pixels_have_the_same_hash_in_every_lossless_format():
    hashes = {check(crafted.encoded(crafted.picture(3), name)).sha256 for name in ("PNG", "BMP", "TIFF")}
    assert len(hashes) == 1
    assert check(crafted.png(4)).sha256 not in hashes


def test_lossy_pictures_are_kept_as_fine_jpeg():
    arrived = crafted.encoded(crafted.picture(5), "JPEG", quality=90)
    image = kept(arrived)
    assert image.format == "JPEG"
    before = np.asarray(Image.open(io.BytesIO(arrived)), dtype=float)
    assert np.abs(before - np.asarray(image, dtype=float)).mean() < 1.5


def test_large_pictures_are_kept_smaller():
    arrived = crafted.encoded(crafted.picture(1, width=4000, height=3000), "JPEG")
    assert kept(arrived).size == (2731, KEPT_SHORTER_SIDE)


def test_thumbnails_show_the_whole_picture():
    thumbnail = Image.open(io.BytesIO(check(crafted.png(1, width=800, height=400)).look.thumbnail))
    assert thumbnail.format == "WEBP"
    assert thumbnail.size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2)


def test_orientation_is_applied_and_metadata_dropped():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (47.0, 22.0, 1.0)
    arrived = crafted.encoded(crafted.picture(6), "JPEG", exif=exif, comment=b"a secret")
    image = kept(arrived)
    assert image.size == (80, 96)
    assert not image.getexif()
    assert "comment" not in image.info
    assert b"Somebody" not in check(arrived).content + check(arrived).look.thumbnail


def test_text_chunks_and_trailers_do_not_survive():
    polyglot = crafted.png(7) + b"<script>alert(1)</script>"
    assert b"script" not in check(polyglot).content


def test_colour_profiles_are_applied():
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert kept(crafted.encoded(crafted.picture(8), "PNG", icc_profile=linear)).mode == "RGB"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    converted = np.asarray(kept(crafted.encoded(crafted.picture(8), "PNG", icc_profile=srgb)), dtype=int)
    assert np.abs(converted - np.asarray(crafted.picture(8), dtype=int)).max() <= 2


def test_transparency_is_laid_on_white():
    image = crafted.picture(9).convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    image.paste((200, 10, 10, 255), (0, 0, 40, 40))
    pixels = np.asarray(kept(crafted.encoded(image)))
    assert tuple(pixels[70, 70]) == (255, 255, 255)
    assert tuple(pixels[5, 5]) == (200, 10, 10)


def test_sixteen_bit_pictures_keep_their_contrast():
    deep = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = np.asarray(kept(crafted.encoded(Image.fromarray(deep))))
    assert pixels.min() == 0
    assert pixels.max() == 255


def test_grey_palette_and_cmyk_pictures_become_rgb():
    for image, image_format in (
        (crafted.picture(1).convert("L"), "PNG"),
        (crafted.picture(1).convert("P"), "PNG"),
        (crafted.picture(1).convert("CMYK"), "JPEG"),
        (crafted.picture(1).convert("1"), "TIFF"),
    ):
        assert kept(crafted.encoded(image, image_format)).mode == "RGB"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"hello, I am text", "Use JPEG, PNG", id="text"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Use JPEG, PNG", id="svg"),
        pytest.param(b"<html><script>1</script></html>", "Use JPEG, PNG", id="html"),
        pytest.param(crafted.encoded(crafted.picture(1), "GIF"), "Use JPEG, PNG", id="gif"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged", id="heic-head"),
        pytest.param(crafted.encoded(crafted.picture(1), "HEIF")[:-200], "damaged", id="truncated-heic"),
        pytest.param(crafted.encoded(crafted.picture(1), "AVIF")[:-200], "damaged", id="truncated-avif"),
        pytest.param(crafted.png(1, width=1, height=1), "too small: 1 × 1", id="one-pixel"),
        pytest.param(crafted.png(1, width=500, height=20), "too small", id="narrow"),
        pytest.param(crafted.encoded(Image.new("RGB", (99, 99))), "all black", id="black"),
        pytest.param(crafted.encoded(Image.new("RGB", (99, 99), "red"), "JPEG"), "flat colour", id="flat"),
        pytest.param(crafted.encoded(Image.new("RGBA", (99, 99))), "flat colour", id="transparent"),
        pytest.param(crafted.png(1)[:3000], "damaged or incomplete", id="truncated-png"),
        pytest.param(crafted.encoded(crafted.picture(1), "JPEG")[:-400], "damaged", id="truncated-jpeg"),
        pytest.param(crafted.encoded(crafted.picture(1), "WEBP")[:-200], "damaged", id="truncated-webp"),
        pytest.param(crafted.png_of_claimed_size(20_000, 10_000), "64 megapixels", id="200-megapixels"),
        pytest.param(crafted.png_of_claimed_size(65_000, 65_000), "64 megapixels", id="bomb"),
        pytest.param(crafted.png_of_claimed_size(10_000, 10_000), "64 megapixels", id="100-megapixels"),
        pytest.param(crafted.png_of_claimed_size(10_000, 6_500), "64 megapixels", id="65-megapixels"),
        pytest.param(crafted.png_of_claimed_size(900, 900), "damaged or incomplete", id="missing-pixels"),
    ],
)
def test_refused_with_the_reason(content, reason):
    with pytest.raises(FileRefused, match=reason):
        check(content)


@pytest.mark.parametrize("image_format", ["WEBP", "TIFF", "PNG"])
def test_too_many_frames_are_refused(image_format):
    with pytest.raises(FileRefused, match="more than 3 frames"):
        check(crafted.animation(5, image_format), Limits(max_frames=3))


def test_a_long_animation_is_refused_by_default():
    with pytest.raises(FileRefused, match="more than 100 frames"):
        check(crafted.animation(101))


def test_a_heic_is_turned_upright_once_and_loses_its_metadata():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Somebody"
    checked = check(crafted.encoded(crafted.picture(6), "HEIF", exif=exif.tobytes()))
    assert (checked.width, checked.height) == (80, 96)
    assert b"Somebody" not in checked.content + checked.look.thumbnail


def test_an_animation_within_the_limit_gives_its_first_frame():
    first = crafted.picture(1)
    content = crafted.encoded(first, "WEBP", save_all=True, append_images=[crafted.picture(2)], lossless=True)
    assert np.abs(np.asarray(kept(content), int) - np.asarray(first, int)).mean() < 2


def test_the_verdict_on_size_comes_before_decoding():
    """A header that promises four billion pixels costs no memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileRefused):
        check(crafted.png_of_claimed_size(65_000, 65_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_memory_stays_flat_over_many_pictures():
    content = crafted.encoded(crafted.picture(1, width=1200, height=900), "JPEG")
    for _ in range(3):
        check(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(12):
        check(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
