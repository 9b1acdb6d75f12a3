import io

import pytest
from PIL import Image

from engines import provenance
from engines.provenance import Provenance

RECORD = Provenance(
    model='Cats & <dogs> "2"',
    model_sha256="ab" * 32,
    prompt="a café\nby night",
    negative_prompt="rain",
    settings={"Seed": 7, "Truncation": 0.8, "Mirrored": True},
    creator="Zoë 'Z' Ångström",
    credit="Drawings by Ada & Co",
    licence="CC-BY-4.0",
    licence_url="https://example.org/?a=1&b=2",
)


def written(file_format, record=RECORD):
    file = io.BytesIO()
    image = Image.new("RGB", (8, 8), (120, 30, 60))
    provenance.write(image, file, record, file_format=file_format)
    file.seek(0)
    return file


@pytest.mark.parametrize("file_format", provenance.FORMATS)
def test_what_is_written_is_read_again(file_format):
    assert provenance.read(written(file_format)) == RECORD


@pytest.mark.parametrize("file_format", provenance.FORMATS)
def test_nothing_but_the_model_is_enough(file_format):
    record = Provenance(model="Faces")
    assert provenance.read(written(file_format, record)) == record


def test_png_carries_the_chunks_other_tools_read():
    with Image.open(written("png")) as image:
        image.load()
        parameters = image.info["parameters"]
    lines = parameters.splitlines()
    assert lines[:3] == ["a café", "by night", "Negative prompt: rain"]
    assert lines[3].startswith("Seed: 7, Truncation: 0.8, Mirrored: True, Model: Cats")
    assert lines[3].endswith("Model hash: ababababab")


@pytest.mark.parametrize("file_format", ["jpeg", "webp"])
def test_exif_carries_the_same_text(file_format):
    with Image.open(written(file_format)) as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286]
        assert image.getexif()[0x013B].encode("latin-1").decode() == RECORD.creator
    assert comment.startswith(b"UNICODE\0")
    assert comment[8:].decode("utf-16-be") == RECORD.parameters()


@pytest.mark.parametrize("file_format", provenance.FORMATS)
def test_xmp_says_that_a_trained_model_made_it(file_format):
    content = written(file_format).getvalue()
    for expected in (
        b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"',
        b"Drawings by Ada &amp; Co",
        b"<rdf:li>Zo\xc3\xab 'Z' \xc3\x85ngstr\xc3\xb6m</rdf:li>",
        b"CC-BY-4.0",
    ):
        assert expected in content


def test_a_path_works_as_well_as_a_file(tmp_path):
    provenance.write(Image.new("RGB", (8, 8)), tmp_path / "a.png", RECORD, file_format="png")
    assert provenance.read(tmp_path / "a.png") == RECORD


def test_a_picture_without_a_record_has_none(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    assert provenance.read(tmp_path / "plain.png") is None


@pytest.mark.parametrize(
    "xmp",
    [
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<a xmlns:t='https://atelier.invalid/ns/1.0/' t:Record='[1]'/>",
        b"<a xmlns:t='https://atelier.invalid/ns/1.0/' t:Record='{broken'/>",
        b"<a xmlns:t='https://atelier.invalid/ns/1.0/' t:Record='{\"settings\": 3}'/>",
        b"<a/>",
    ],
)
def test_hostile_metadata_is_ignored(tmp_path, xmp):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", xmp=xmp)
    assert provenance.read(tmp_path / "a.jpg") is None


def test_unknown_keys_of_a_later_version_are_ignored():
    assert Provenance.from_json('{"model": "Faces", "later": 1}') == Provenance(model="Faces")
