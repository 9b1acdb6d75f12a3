"""Signatures: hold for the pixels alone, in every format, and for nothing that was altered."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from engines.provenance import FORMATS, Provenance, read, write
from engines.signing import Signer, Verdict, judge, key_name

RECORD = Provenance(
    model="ada/cats v1",
    model_sha256="a" * 64,
    prompt="ein Kätzchen\nin two lines",
    settings={"Seed": 7, "Truncation": 0.7},
    licence="CC-BY-4.0",
    run="42",
)
SIGNER = Signer(b"a secret")


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 40, 3), dtype=np.uint8))


def saved(picture, file_format, record=RECORD, sign=SIGNER.sign) -> io.BytesIO:
    file = io.BytesIO()
    write(picture, file, record, file_format=file_format, sign=sign)
    return file


def verdict(file, keys=(SIGNER.public_key,)) -> Verdict:
    record = read(file)
    with Image.open(file) as image:
        return judge(record, image, keys)


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_was_written_is_unchanged(picture, file_format):
    file = saved(picture, file_format)
    assert verdict(file) is Verdict.UNCHANGED
    read_back = read(file)
    assert replace(read_back, pixels_sha256="", key="", signature="") == RECORD


@pytest.mark.parametrize("file_format", FORMATS)
def test_one_pixel_is_enough_to_be_changed(picture, file_format):
    record = read(saved(picture, file_format))
    other = picture.copy()
    other.putpixel((0, 0), (255, 255, 255))
    other.putpixel((1, 0), (0, 0, 0))
    file = io.BytesIO()
    write(other, file, record, file_format=file_format)
    assert verdict(file) is Verdict.CHANGED


@pytest.mark.parametrize(
    "forged",
    [
        {"model": "ada/dogs v1"},
        {"licence": "MIT"},
        {"run": "43"},
        {"settings": {"Seed": 8, "Truncation": 0.7}},
        {"signature": base64.b64encode(bytes(64)).decode()},
        {"signature": "no base64"},
    ],
)
def test_nothing_of_a_record_can_be_altered(picture, forged):
    record = replace(read(saved(picture, "png")), **forged)
    assert judge(record, picture, [SIGNER.public_key]) is Verdict.FORGED


def test_another_key_is_not_this_studios(picture):
    other = Signer(b"another secret")
    file = saved(picture, "png", sign=other.sign)
    assert verdict(file) is Verdict.UNKNOWN_KEY
    assert verdict(file, [SIGNER.public_key, other.public_key]) is Verdict.UNCHANGED
    posing = replace(read(file), key=key_name(SIGNER.public_key))
    assert judge(posing, picture, [SIGNER.public_key]) is Verdict.FORGED


def test_a_secret_gives_the_same_key_each_time():
    assert Signer(b"a secret").public_key == SIGNER.public_key != Signer(b"b").public_key
    assert len(base64.b64decode(SIGNER.public_key)) == 32


def test_metadata_rewritten_without_loss_changes_nothing(picture):
    """Another program saves the PNG anew and keeps the texts."""
    from PIL.PngImagePlugin import PngInfo

    with Image.open(saved(picture, "png")) as image:
        image.load()
        texts = PngInfo()
        for name, text in image.text.items():
            texts.add_itxt(name, text)
        file = io.BytesIO()
        image.save(file, format="PNG", pnginfo=texts, compress_level=1)
    assert verdict(file) is Verdict.UNCHANGED


def test_a_record_without_signature_is_unsigned(picture):
    assert judge(RECORD, picture, [SIGNER.public_key]) is Verdict.UNSIGNED


def test_transparency_is_part_of_the_pixels(picture):
    clear = picture.copy()
    clear.putalpha(128)
    file = saved(clear, "png")
    assert verdict(file) is Verdict.UNCHANGED
    record = read(file)
    assert judge(record, picture, [SIGNER.public_key]) is Verdict.CHANGED
