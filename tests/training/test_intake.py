"""The light job that checks what arrived."""

import hashlib
import io
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from jobs.files import list_keys
from jobs.models import State
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.training import crafted
from training import files, services
from training.archives import Archive
from training.limits import Limits
from training.models import Dataset, DatasetImage, UploadedFile
from training.selectors.uploads import known_files

Status = UploadedFile.Status


def send(dataset: Dataset, sent: dict[str, bytes]) -> dict[str, UploadedFile]:
    """Add files, have them checked, and return what became of each by name."""
    upload = services.add_files(
        dataset=dataset, arrived=[ContentFile(content, name=name) for name, content in sent.items()]
    )[0].upload
    (job,) = run_pending("light")
    assert job.state == State.SUCCEEDED
    dataset.refresh_from_db()
    return {file.name: file for file in upload.files.all()}


def test_a_good_picture_is_kept(empty_dataset):
    found = send(empty_dataset, {"cat.png": crafted.png(1)})
    assert found["cat.png"].status == Status.ACCEPTED
    image = empty_dataset.images.get()
    assert (image.name, image.width, image.height) == ("cat.png", 96, 80)
    assert default_storage.exists(image.file)
    assert default_storage.exists(image.thumbnail)
    assert empty_dataset.picture_count == 1
    assert empty_dataset.size_bytes == image.size_bytes


def test_bad_files_are_listed_and_the_rest_goes_on(empty_dataset):
    found = send(
        empty_dataset,
        {
            "text.png": b"I am text",
            "tiny.png": crafted.png(1, width=1, height=1),
            "good.png": crafted.png(2),
            "empty.zip": crafted.zipped({}),
            "corrupt.zip": b"PK\x03\x04 nothing of the kind",
            "cut.jpg": crafted.encoded(crafted.picture(3), "JPEG")[:-500],
            "huge.png": crafted.png_of_claimed_size(20_000, 10_000),
            "last.png": crafted.png(4),
        },
    )
    refused = {name: file.reason for name, file in found.items() if file.status == Status.REFUSED}
    assert set(refused) == {"text.png", "tiny.png", "empty.zip", "corrupt.zip", "cut.jpg", "huge.png"}
    assert all(reason.endswith(".") for reason in refused.values())
    assert empty_dataset.picture_count == 2


def test_nothing_of_a_refused_file_stays(empty_dataset):
    send(empty_dataset, {"text.png": b"I am text", "bad.zip": crafted.zip_overlapping()})
    assert list_keys(files.dataset_prefix(empty_dataset.pk)) == []


def test_the_same_file_twice_is_one_picture(empty_dataset):
    send(empty_dataset, {"one.png": crafted.png(1)})
    found = send(
        empty_dataset, {"again.png": crafted.png(1), "other.bmp": crafted.encoded(crafted.picture(1), "BMP")}
    )
    assert {file.get_status_display() for file in found.values()} == {"Already here"}
    assert empty_dataset.images.count() == 1


def test_an_exported_picture_is_recognised(empty_dataset):
    """What is kept of a photograph is encoded anew: neither bytes nor pixels are those that arrived."""
    send(empty_dataset, {"one.jpg": crafted.encoded(crafted.picture(1), "JPEG")})
    image = empty_dataset.images.get()
    with default_storage.open(image.file) as stored:
        exported = stored.read()
    assert known_files(empty_dataset, [hashlib.sha256(exported).hexdigest()]) == [image.kept_sha256]
    found = send(empty_dataset, {"export.jpg": exported})
    assert found["export.jpg"].get_status_display() == "Already here"
    assert empty_dataset.images.count() == 1


def test_a_zip_with_good_and_bad_members(empty_dataset):
    members = {
        "../../evil.png": crafted.png(1),
        "folder/two.png": crafted.png(2),
        "note.txt": b"hello",
        "inner.zip": crafted.zipped({"x.png": crafted.png(9)}),
    }
    found = send(empty_dataset, {"all.zip": crafted.zipped(members)})
    assert found["all.zip"].status == Status.OPENED
    assert {name: file.status for name, file in found.items() if file.archive} == {
        "evil.png": Status.ACCEPTED,
        "two.png": Status.ACCEPTED,
        "note.txt": Status.REFUSED,
        "inner.zip": Status.REFUSED,
    }
    assert empty_dataset.picture_count == 2


def test_nothing_is_written_outside_of_storage(empty_dataset, files: Path):
    send(empty_dataset, {"all.zip": crafted.zipped({"../../../../evil.png": crafted.png(1)})})
    assert not list(files.parent.rglob("evil*"))


@pytest.mark.parametrize("make", [crafted.zip_with_symlink, crafted.zip_marked_encrypted])
def test_one_bad_member_does_not_spoil_a_zip(empty_dataset, make):
    send(empty_dataset, {"all.zip": make()})
    assert [image.name for image in empty_dataset.images.all()] == ["good.png"]


def test_a_full_dataset_refuses_the_rest(empty_dataset, settings):
    settings.TRAINING_LIMITS = {"max_pictures": 2}
    found = send(empty_dataset, {f"{number}.png": crafted.png(number) for number in range(4)})
    assert [file.status for file in found.values()] == [Status.ACCEPTED] * 2 + [Status.REFUSED] * 2
    assert "full" in found["3.png"].reason
    assert len(list_keys(f"datasets/{empty_dataset.pk}/pictures")) == 2


def test_too_many_bytes_for_the_dataset(empty_dataset, settings):
    settings.TRAINING_LIMITS = {"max_dataset_bytes": 30_000}
    found = send(empty_dataset, {f"{number}.png": crafted.png(number) for number in range(6)})
    statuses = [file.status for file in found.values()]
    assert Status.ACCEPTED in statuses
    assert Status.REFUSED in statuses
    assert empty_dataset.size_bytes <= 30_000


def test_a_file_that_is_too_long_is_refused_unread(empty_dataset, settings):
    settings.TRAINING_LIMITS = {"max_picture_bytes": 1 << 20}
    found = send(empty_dataset, {"long.png": b"\x89PNG" + b"\0" * (1 << 20)})
    assert "more than 1 MB" in found["long.png"].reason


def test_bytes_that_vanished_are_reported(empty_dataset):
    (sent,) = services.add_files(dataset=empty_dataset, arrived=[ContentFile(crafted.png(1), name="a.png")])
    upload = sent.upload
    default_storage.delete(upload.files.get().file)
    run_pending("light")
    assert "did not arrive whole" in upload.files.get().reason


def test_a_second_attempt_goes_on_where_the_first_ended(empty_dataset):
    members = {f"{number}.png": crafted.png(number) for number in range(4)}
    upload = services.add_files(
        dataset=empty_dataset, arrived=[ContentFile(crafted.zipped(members), name="all.zip")]
    )[0].upload
    archive = upload.files.get()
    UploadedFile.objects.create(
        upload=upload, archive=archive, position=0, name="0.png", status=Status.REFUSED, reason="seen before"
    )
    run_pending("light")
    first = archive.members.get(position=0)
    assert first.reason == "seen before"
    assert archive.members.count() == 4
    assert empty_dataset.images.count() == 3


def test_a_dataset_that_was_deleted_ends_the_job_plainly(empty_dataset):
    (sent,) = services.add_files(dataset=empty_dataset, arrived=[ContentFile(crafted.png(1), name="a.png")])
    upload = sent.upload
    Dataset.objects.filter(pk=empty_dataset.pk).delete()
    (job,) = run_pending("light")
    assert job.pk == upload.job_id
    assert job.state == State.FAILED
    assert "dataset was deleted" in job.error


def test_files_that_come_while_one_waits_join_its_job(empty_dataset):
    uploads = [
        services.add_files(
            dataset=empty_dataset, arrived=[ContentFile(crafted.png(number), name=f"{number}.png")]
        )[0].upload
        for number in range(3)
    ]
    assert len({upload.pk for upload in uploads}) == 1
    assert len(run_pending("light")) == 1
    assert empty_dataset.images.count() == 3


def test_a_canceled_upload_says_so_at_each_file(empty_dataset):
    (sent,) = services.add_files(dataset=empty_dataset, arrived=[ContentFile(crafted.png(1), name="a.png")])
    upload = sent.upload
    stop_job(job=upload.job)
    file = upload.files.get()
    assert file.status == Status.REFUSED
    assert "was not checked" in file.reason


def test_a_zip_is_never_read_whole():

    class Counting(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            content = super().read(size)
            type(self).largest = max(self.largest, len(content))
            return content

    members = {f"{number}.bin": bytes([number]) * 2_000_000 for number in range(8)}
    archive = Archive(Counting(crafted.zipped(members, compression=0)), Limits())
    for member in archive.members:
        with archive.open(member):
            pass
    assert Counting.largest < 1 << 20


def test_pictures_are_their_datasets_own(make_dataset, owner):
    """The same picture in two datasets is two files: deleting one dataset leaves the other whole."""
    first, second = make_dataset(owner, name="One"), make_dataset(owner, name="Two")
    for dataset in (first, second):
        send(dataset, {"a.png": crafted.png(1)})
    keys = set(DatasetImage.objects.values_list("file", flat=True))
    assert len(keys) == 2
