"""Captions that come along with pictures, in a ZIP or beside them."""

import io

import pytest
from django.core.files.base import ContentFile

from accounts.zips import stream_zip
from jobs.testing import run_pending
from tests.training import crafted
from training import limits, services
from training.archives import Archive
from training.caption_intake import ArchiveCaptions, take_file
from training.exceptions import FileRefused
from training.exports import dataset_files
from training.models import Dataset, Purpose, UploadedFile

Status = UploadedFile.Status


def opened(members: dict[str, bytes]) -> Archive:
    return Archive(io.BytesIO(crafted.zipped(members)), limits.current())


def found(members: dict[str, bytes]) -> dict[str, str]:
    archive = opened(members)
    captions = ArchiveCaptions(archive, Dataset())
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
            opened({"0.txt": b"a cat", "metadata.jsonl": b'{"file_name": "1.jpg", "text": "b"}'}), named
        )
        assert captions.take_others() == ""
        assert set(named.images.values_list("name", "caption")) == {("0.jpg", "a cat"), ("1.jpg", "b")}
        with pytest.raises(FileRefused, match="empty"):
            opened({"README.md": b"x"})

    def test_what_belongs_to_nothing_is_told(self, named):
        members = {"0.txt": b"a cat", "8.txt": b"x", "9.txt": b"x", "b.txt": b"\xff\xfe\x00", "b.jpg": b"1"}
        archive = opened(members)
        captions = ArchiveCaptions(archive, named)
        assert captions.of(archive.members[0]) == ""
        told = captions.take_others()
        assert "b.txt" in told
        assert "And 2 more." in told
        assert named.images.get(name="0.jpg").caption == "a cat"


class TestOfAFile:
    def test_is_taken(self, named):
        assert take_file(named, "0.txt", io.BytesIO(b"a cat")) == ""
        assert named.images.get(name="0.jpg").caption == "a cat"

    def test_says_why_it_is_not(self, named):
        assert "No picture here is called 7" in take_file(named, "7.txt", io.BytesIO(b"a cat"))


class TestOfAnUpload:
    """What the light job makes of it."""

    @pytest.fixture
    def taught(self, empty_dataset) -> Dataset:
        empty_dataset.purpose, empty_dataset.keyword = Purpose.CHARACTER, "mimochi"
        empty_dataset.save()
        return empty_dataset

    def send(self, dataset: Dataset, sent: dict[str, bytes]) -> dict[str, UploadedFile]:
        arrived = [ContentFile(content, name=name) for name, content in sent.items()]
        upload = services.add_files(dataset=dataset, arrived=arrived)[0].upload
        run_pending("light")
        return {file.name: file for file in upload.files.all()}

    def captions(self, dataset: Dataset) -> dict[str, str]:
        return dict(dataset.images.values_list("name", "caption"))

    def test_a_zip_brings_its_captions(self, taught):
        members = {"x/1.png": crafted.png(1), "x/1.txt": b"asleep", "x/2.png": crafted.png(2)}
        found = self.send(taught, {"set.zip": crafted.zipped(members)})
        assert self.captions(taught) == {"1.png": "mimochi, asleep", "2.png": ""}
        assert {file.status for file in found.values()} == {Status.OPENED, Status.ACCEPTED}

    def test_pictures_that_are_here_take_the_captions_that_come_with_them(self, taught):
        self.send(taught, {"1.png": crafted.png(1), "2.png": crafted.png(2)})
        members = {"other.png": crafted.png(1), "other.txt": b"asleep", "2.txt": b"awake", "7.txt": b"x"}
        found = self.send(taught, {"set.zip": crafted.zipped(members)})
        assert self.captions(taught) == {"1.png": "mimochi, asleep", "2.png": "mimochi, awake"}
        assert found["other.png"].status == Status.DUPLICATE
        assert [file.reason for file in found.values() if file.status == Status.REFUSED] == [
            "7.txt: No picture here is called 7. Add it first."
        ]

    def test_text_files_wait_for_their_pictures(self, taught):
        found = self.send(taught, {"1.txt": b"asleep", "9.txt": b"x", "1.png": crafted.png(1)})
        assert self.captions(taught) == {"1.png": "mimochi, asleep"}
        assert found["1.txt"].status == Status.OPENED
        assert found["9.txt"].status == Status.REFUSED

    def test_what_is_exported_comes_back_whole(self, taught, make_dataset, owner):
        self.send(taught, {"1.png": crafted.png(1), "2.jpg": crafted.png(2), "1.txt": '=1+1 "猫"'.encode()})
        other = make_dataset(owner, name="Copy")
        for layout in ("txt", "jsonl", "csv"):
            other.images.all().delete()
            self.send(other, {"copy.zip": b"".join(stream_zip(dataset_files(taught, layout)))})
            assert set(other.images.values_list("sha256", "caption")) == set(
                taught.images.values_list("sha256", "caption")
            )
