"""ZIP files from strangers."""

import io
import zipfile

import pytest

from engines.archives import is_zip
from tests.training import crafted
from training.archives import Archive
from training.exceptions import FileRefused
from training.limits import Limits

LIMITS = Limits()


def unpack(content: bytes, limits: Limits = LIMITS) -> dict[str, bytes | str]:
    """Every member's name with its bytes, or with the reason why it was refused."""
    archive = Archive(io.BytesIO(content), limits)
    found: dict[str, bytes | str] = {}
    for member in archive.members:
        try:
            with archive.open(member) as unpacked:
                found[member.name] = unpacked.read()
        except FileRefused as refusal:
            found[member.name] = str(refusal)
    return found


def test_members_come_out_one_by_one():
    assert unpack(crafted.zipped({"a/one.png": b"1", "two.png": b"2"})) == {"one.png": b"1", "two.png": b"2"}


def test_is_zip_goes_by_content():
    assert is_zip(io.BytesIO(crafted.zipped({"a": b""})))
    assert is_zip(io.BytesIO(crafted.zipped({})))
    assert not is_zip(io.BytesIO(crafted.png(1)))


def test_clutter_is_passed_over():
    content = crafted.zipped({"__MACOSX/._a.png": b"x", ".DS_Store": b"x", "folder/": b"", "a.png": b"1"})
    assert unpack(content) == {"a.png": b"1"}


@pytest.mark.parametrize("path", ["../../evil.png", "/etc/evil.png", "..\\..\\evil.png", "C:\\evil.png"])
def test_paths_are_only_names(path):
    assert unpack(crafted.zipped({path: b"1"})) == {"evil.png": b"1"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(crafted.zipped({}), "ZIP is empty", id="empty"),
        pytest.param(crafted.zipped({"folder/": b""}), "ZIP is empty", id="only-a-folder"),
        pytest.param(b"PK\x03\x04" + b"junk" * 50, "damaged", id="corrupt"),
        pytest.param(crafted.zipped({"a.png": crafted.png(1)})[:-30], "damaged", id="truncated"),
        pytest.param(crafted.zip_overlapping(), "damaged", id="overlapping"),
    ],
)
def test_refused_as_a_whole(content, reason):
    with pytest.raises(FileRefused, match=reason):
        Archive(io.BytesIO(content), LIMITS)


def test_too_many_entries_are_refused_before_the_directory_is_read(monkeypatch):
    content = crafted.zipped({f"{number}.png": b"" for number in range(11)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(FileRefused, match="more than 10 entries"):
        Archive(io.BytesIO(content), Limits(max_pictures=10))


def test_an_understated_entry_count_does_not_help():
    content = bytearray(crafted.zipped({f"{number}.png": b"" for number in range(11)}))
    end = content.rindex(b"PK\x05\x06")
    content[end + 8 : end + 12] = b"\1\0\1\0"
    with pytest.raises(FileRefused, match="more than 10 entries"):
        Archive(io.BytesIO(bytes(content)), Limits(max_pictures=10))


def test_a_zip_that_unpacks_to_too_much_is_refused_before_unpacking():
    with pytest.raises(FileRefused, match="unpacks to more than"):
        Archive(io.BytesIO(crafted.zipped({"a": b"\0" * 3_000_000})), Limits(max_upload_bytes=2 << 20))


def test_a_large_member_is_refused_at_the_byte_counter():
    found = unpack(
        crafted.zipped({"big.png": b"\0" * 3_000_000, "ok.png": b"1"}), Limits(max_picture_bytes=1 << 20)
    )
    assert "more than 1 MB" in found["big.png"]
    assert found["ok.png"] == b"1"


def test_a_member_that_lies_about_its_size_is_refused():
    assert "damaged inside the ZIP" in unpack(crafted.zip_lying_about_size())["bomb.png"]


def test_links_are_refused_and_the_rest_goes_on():
    found = unpack(crafted.zip_with_symlink())
    assert "link" in found["link.png"]
    assert found["good.png"] == crafted.png(1)


def test_encrypted_members_are_refused_and_the_rest_goes_on():
    found = unpack(crafted.zip_marked_encrypted())
    assert "encrypted" in found["secret.png"]
    assert found["good.png"] == crafted.png(2)


def test_a_zip_inside_a_zip_is_not_opened():
    assert (
        "inside a ZIP" in unpack(crafted.zipped({"inner.zip": crafted.zipped({"a.png": b"1"})}))["inner.zip"]
    )


def test_a_flipped_byte_is_found_by_the_checksum():
    content = bytearray(crafted.zipped({"a.png": b"abcdefgh" * 100}, zipfile.ZIP_STORED))
    content[60] ^= 0xFF
    assert "damaged inside the ZIP" in unpack(bytes(content))["a.png"]
