"""Captions that come along with pictures, in a ZIP or beside them."""

import io

import pytest

from tests.training import crafted
from training import limits
from training.archives import Archive
from training.caption_intake import ArchiveCaptions, take_file
from training.exceptions import FileRefused
from training.models import Dataset


def opened(members: dict[str, bytes]) -> Archive:
    return Archive(io.BytesIO(crafted.zipped(members)), limits.current())


def found(members: dict[str, bytes]) -> dict[str, str]:
    archive = opened(members)
    captions = ArchiveCaptions(archive)
    return {member.info.filename: captions.of(member) for member in archive.members}


@pytest.fixture
def named(make_dataset, owner) -> Dataset:
    dataset = make_dataset(owner, 2)
    for number, image in enumerate(dataset.images.order_by("pk")):
        image.name = f"{number}.jpg"
        image.save()
    return dataset


class TestOfAnArchive:
    def test_text_files_belong_to_the_picture_beside_them(self):
        members = {
            "cats/1.jpg": b"1", "cats/1.txt": b"a cat", "dogs/1.jpg": b"2", "dogs/1.caption": b"a dog",
            "2.png": b"3", "2.png.txt": b"both endings", "3.jpg": b"4",
        }  # fmt: skip
        assert found(members) == {
            "cats/1.jpg": "a cat", "dogs/1.jpg": "a dog", "2.png": "both endings", "3.jpg": ""
        }  # fmt: skip

    @pytest.mark.parametrize("path", ["train/sub/1.jpg", ".\\train\\sub\\1.JPG"])
    def test_metadata_names_paths_below_its_folder(self, path):
        rows = b'{"file_name": "sub/1.jpg", "text": "a cat"}'
        assert found({path: b"1", "1.jpg": b"2", "train/metadata.jsonl": rows}) == {
            path: "a cat",
            "1.jpg": "",
        }

    def test_captions_are_no_pictures_and_the_note_of_an_export_is_clutter(self):
        archive = opened({"a.jpg": b"1", "a.txt": b"x", "metadata.csv": b"", "README.md": b"x"})
        assert [member.name for member in archive.members] == ["a.jpg"]
        assert [member.position for member in archive.caption_members] == [1, 2]

    def test_one_without_pictures_is_not_empty(self, named):
        captions = ArchiveCaptions(
            opened({"0.txt": b"a cat", "metadata.jsonl": b'{"file_name": "1.jpg", "text": "b"}'})
        )
        assert captions.take_others(named) == ""
        assert set(named.images.values_list("name", "caption")) == {("0.jpg", "a cat"), ("1.jpg", "b")}
        with pytest.raises(FileRefused, match="empty"):
            opened({"README.md": b"x"})

    def test_what_belongs_to_nothing_is_told(self, named):
        members = {"0.txt": b"a cat", "8.txt": b"x", "9.txt": b"x", "b.txt": b"\xff\xfe\x00", "b.jpg": b"1"}
        archive = opened(members)
        captions = ArchiveCaptions(archive)
        assert captions.of(archive.members[0]) == ""
        told = captions.take_others(named)
        assert "b.txt" in told
        assert "And 2 more." in told
        assert named.images.get(name="0.jpg").caption == "a cat"


class TestOfAFile:
    def test_is_taken(self, named):
        assert take_file(named, "0.txt", io.BytesIO(b"a cat")) == ""
        assert named.images.get(name="0.jpg").caption == "a cat"

    def test_says_why_it_is_not(self, named):
        assert "No picture here is called 7" in take_file(named, "7.txt", io.BytesIO(b"a cat"))
