"""ZIPs from strangers: what is sound is unpacked whole, what is not leaves nothing."""

import io
import struct
import zipfile

import pytest

from engines.archives import ArchiveError, ArchiveLimits, is_zip, open_archive, read_member, unpack

LIMITS = ArchiveLimits(max_entries=10, max_bytes=1 << 20)


def zipped(entries, **options) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return content.getvalue()


def refused(tmp_path, content: bytes, reason: str, limits=LIMITS) -> None:
    source = tmp_path / "source.zip"
    source.write_bytes(content)
    with pytest.raises(ArchiveError, match=reason):
        unpack(source, tmp_path / "target", limits)
    assert [path.name for path in tmp_path.iterdir()] == ["source.zip"]


def test_what_is_sound_is_unpacked_without_what_systems_add(tmp_path):
    entries = {
        "a.json": "{}",
        "unet/w.safetensors": "w",
        "__MACOSX/a.json": "x",
        "unet/.DS_Store": "x",
        ".cache/huggingface/x": "y",
    }
    (tmp_path / "source.zip").write_bytes(zipped(entries))
    target = unpack(tmp_path / "source.zip", tmp_path / "target", LIMITS)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {"a.json", "unet/w.safetensors"}


def test_only_what_lies_inside_a_folder(tmp_path):
    (tmp_path / "source.zip").write_bytes(zipped({"model/a/b.json": "{}", "readme.txt": "x"}))
    target = unpack(tmp_path / "source.zip", tmp_path / "target", LIMITS, inside="model")
    assert (target / "a" / "b.json").is_file()
    assert not (target / "readme.txt").exists()


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../b", "/a", "C:\\a", "a\\b", "a/b/c/d/e", "a" * 201, "-rf", "a\nb", "a//b"],
)
def test_names_that_lead_elsewhere(tmp_path, name):
    refused(tmp_path, zipped({name: "x"}), "name that is not allowed")


def test_a_name_that_two_readers_would_read_differently(tmp_path):
    """zipfile cuts a name at NUL; others do not."""
    content = zipped({"aXb": "x"}).replace(b"aXb", b"a\0b")
    refused(tmp_path, content, "name that is not allowed")


def test_two_files_of_one_name_on_other_systems(tmp_path):
    refused(tmp_path, zipped({"a.json": "x", "A.json": "y"}), "two files of the same name")


def test_links_and_passwords(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    refused(tmp_path, zipped({link: "/etc/passwd"}), "link")
    content = bytearray(zipped({"a": "x"}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature) + place
        content[at] |= 1
    refused(tmp_path, bytes(content), "encrypted")


def test_too_much_in_it(tmp_path):
    refused(tmp_path, zipped({str(n): "x" for n in range(11)}), "more than 10 entries")
    refused(tmp_path, zipped({"a": bytes(2 << 20)}, compression=zipfile.ZIP_DEFLATED), "unpacks to more")


def test_a_size_that_lies_is_found_while_unpacking(tmp_path):
    content = bytearray(zipped({"a": bytes(5000)}, compression=zipfile.ZIP_DEFLATED))
    at = content.find(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<L", 100)
    refused(tmp_path, bytes(content), "damaged")


def test_entries_that_share_bytes(tmp_path):
    content = bytearray(zipped({"a": bytes(5000), "b": b"x"}))
    first, second = content.find(b"PK\x01\x02"), content.rfind(b"PK\x01\x02")
    content[second + 20 : second + 28] = content[first + 20 : first + 28]
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    refused(tmp_path, bytes(content), "damaged")


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"no zip at all", bytes(1000)])
def test_what_is_no_zip(tmp_path, content):
    refused(tmp_path, content, "damaged")


def test_reading_one_small_file():
    with open_archive(io.BytesIO(zipped({"card.json": "{}"})), LIMITS) as archive:
        assert read_member(archive, "card.json", max_bytes=10) == b"{}"
        for name, most in (("card.json", 1), ("absent.json", 10)):
            with pytest.raises(ArchiveError):
                read_member(archive, name, max_bytes=most)


def test_a_zip_is_told_by_its_beginning():
    assert is_zip(io.BytesIO(zipped({"a": "x"})))
    assert not is_zip(io.BytesIO(b"\x89PNG"))
