"""Provenance of films: read again from every format, players go on playing, and nothing can be exchanged."""

import io
import zipfile

import av
import numpy as np
import pytest
from PIL import Image

from engines.film import write_film, write_gif, write_picture_sequence
from engines.film_provenance import FilmMarker, read_film_record
from engines.provenance import Provenance, read
from engines.signing import Signer, Verdict, judge, judge_content

SIGNER = Signer(b"a secret")
RECORD = Provenance(
    model="ada/cats v1",
    settings={"Walk": "[1, 2]", "Loop": True},
    creator="Zoë 'Z' Ångström",
    credit="Drawings by Ada & Co",
    licence="CC-BY-4.0",
)
SUFFIXES = (".mp4", ".gif", ".zip")


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)


def written(frames, path, marker) -> bytes:
    if path.suffix == ".mp4":
        write_film(frames, path, fps=4, tags=marker.tags)
    elif path.suffix == ".gif":
        write_gif(frames, path, fps=4, colours=frames)
    else:
        write_picture_sequence(frames, path, write_png=marker.write_png)
    marker.seal(path)
    return path.read_bytes()


def verdict(content: bytes) -> Verdict | None:
    told = read_film_record(io.BytesIO(content))
    return judge_content(told.record, told.content_sha256, [SIGNER.public_key]) if told else None


@pytest.fixture(params=SUFFIXES)
def film(request, frames, tmp_path):
    """A signed film in each format, as bytes."""
    return written(frames, tmp_path / f"film{request.param}", FilmMarker(RECORD, SIGNER))


def test_what_is_written_is_read_again_and_signed(film):
    record = read_film_record(io.BytesIO(film)).record
    assert (record.model, record.settings, record.creator) == (RECORD.model, RECORD.settings, RECORD.creator)
    assert verdict(film) is Verdict.UNCHANGED


def test_without_a_signer_the_record_stands_alone(frames, tmp_path):
    for suffix in SUFFIXES:
        content = written(frames, tmp_path / f"film{suffix}", FilmMarker(RECORD))
        assert read_film_record(io.BytesIO(content)).record == RECORD
        assert verdict(content) is Verdict.UNSIGNED


def test_players_still_play_it(frames, tmp_path):
    marker = FilmMarker(RECORD, SIGNER)
    written(frames, tmp_path / "film.mp4", marker)
    with av.open(tmp_path / "film.mp4") as container:
        assert container.metadata["title"] == "ada/cats v1"
        assert container.metadata["artist"] == RECORD.creator
        assert container.metadata["copyright"] == "CC-BY-4.0"
        assert "Loop: True" in container.metadata["comment"]
        assert len(list(container.decode(video=0))) == 3
    written(frames, tmp_path / "film.gif", marker)
    with Image.open(tmp_path / "film.gif") as animation:
        assert animation.n_frames == 3
        animation.seek(2)
        animation.load()
    written(frames, tmp_path / "film.zip", marker)
    with zipfile.ZipFile(tmp_path / "film.zip") as archive:
        assert archive.namelist()[-1] == "provenance.json"
        picture = io.BytesIO(archive.read("00001.png"))
    with Image.open(picture) as image:
        assert judge(read(picture), image, [SIGNER.public_key]) is Verdict.UNCHANGED


def test_a_film_that_was_changed_is_told(film):
    if film.startswith(b"PK"):
        changed = io.BytesIO(film)
        with zipfile.ZipFile(changed, "a") as archive:
            archive.writestr("00009.png", b"another one")
        assert verdict(changed.getvalue()) is Verdict.CHANGED
        return
    at = len(film) // 3
    changed = film[:at] + bytes([film[at] ^ 1]) + film[at + 1 :]
    assert verdict(changed) in {Verdict.CHANGED, None}
    assert verdict(film + film) is Verdict.CHANGED
    # What stands behind the record would be played without being signed: such a file says nothing.
    assert verdict(film + b"\0\0\0\x08free") is None
    assert verdict(film[:-1]) is None


def test_the_record_of_another_film_does_not_fit(frames, tmp_path):
    first = written(frames, tmp_path / "first.mp4", FilmMarker(RECORD, SIGNER))
    second = written(frames[::-1], tmp_path / "second.mp4", FilmMarker(RECORD, SIGNER))
    start = first.rindex(b"uuid") - 4
    assert verdict(second[: second.rindex(b"uuid") - 4] + first[start:]) is Verdict.CHANGED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\0\0\0\x08ftyp",
        b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x01mdat" + b"\xff" * 8,
        b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x00mdat",
        b"GIF89a" + b"\x21\xff\x0bXMP DataXMP" + b"<" * 99,
        b"GIF89a;",
    ],
)
def test_damaged_files_say_nothing(content):
    assert read_film_record(io.BytesIO(content)) is None


def test_hostile_packets_say_nothing():
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    box = b"uuid\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac" + bomb
    content = b"\0\0\0\x0cftypisom" + (len(box) + 4).to_bytes(4, "big") + box
    assert read_film_record(io.BytesIO(content)) is None
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("provenance.json", "[" * 100_000)
    assert read_film_record(archive) is None
