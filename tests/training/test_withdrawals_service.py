"""Withdrawing a picture: it goes everywhere, and all that was made with it says so."""

import hashlib
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.lineage import notices_of
from catalog.models import Derivation, Source, SourceNotice
from jobs.files import list_keys
from jobs.models import State
from jobs.sweeps import sweep_files
from jobs.testing import run_pending
from tests.training import crafted
from tests.training.conftest import fill, state_rights
from training import files, services, uses
from training.exceptions import DatasetUnfit, PictureUnknown
from training.models import Dataset, DatasetImage, NearestIndex, UploadedFile, Withdrawal


@pytest.fixture
def withdraw(dataset, owner, django_capture_on_commit_callbacks):
    """Return a function that withdraws the dataset's first picture, with what follows the commit."""
    image = dataset.images.order_by("sha256").first()

    def act(sha256: str = image.sha256) -> DatasetImage:
        with django_capture_on_commit_callbacks(execute=True):
            services.withdraw_picture(dataset=dataset, sha256=sha256, actor=owner)
        return image

    act.image = image
    return act


def keys_of(dataset: Dataset) -> set[str]:
    return set(list_keys(files.dataset_prefix(dataset.pk)))


def test_it_leaves_dataset_and_storage(dataset, withdraw):
    image = withdraw()
    dataset.refresh_from_db()
    assert dataset.picture_count == dataset.images.count() == 49
    assert not keys_of(dataset) & files.with_copies([image.file, image.thumbnail])
    assert not Withdrawal.objects.exists()


def test_it_leaves_frozen_versions_and_their_lineage_is_told(dataset, withdraw, owner):
    version = services.freeze_version(dataset=dataset, crop="center")
    other = services.freeze_version(dataset=dataset, crop="squeeze")
    image = withdraw()
    assert not default_storage.exists(image.file)
    rows = Withdrawal.objects.values_list("version", "picture_sha256", "withdrawn_by")
    assert set(rows) == {(one.pk, image.sha256, owner.pk) for one in (version, other)}
    (notice,) = notices_of(version.source)
    assert (notice.count, "withdrawn" in notice.text) == (1, True)


def test_copies_in_the_owners_other_datasets_go_too(dataset, withdraw, make_dataset, owner, stranger):
    own, foreign = make_dataset(owner, 50, "Copies"), make_dataset(stranger, 50, "Foreign")
    frozen = services.freeze_version(dataset=own, crop="center")
    image = withdraw()
    assert not own.images.filter(sha256=image.sha256).exists()
    assert frozen.withdrawals.count() == 1
    assert foreign.images.filter(sha256=image.sha256).exists()
    foreign.refresh_from_db()
    assert foreign.picture_count == 50


def test_one_that_was_taken_out_before_can_still_be_withdrawn(dataset, withdraw):
    services.freeze_version(dataset=dataset, crop="center")
    services.remove_image(image=withdraw.image)
    assert default_storage.exists(withdraw.image.file)
    withdraw()
    assert not default_storage.exists(withdraw.image.file)
    assert Withdrawal.objects.count() == 1


def test_withdrawing_twice_writes_once(dataset, withdraw):
    services.freeze_version(dataset=dataset, crop="center")
    withdraw()
    withdraw()
    assert Withdrawal.objects.count() == SourceNotice.objects.count() == 1
    dataset.refresh_from_db()
    assert dataset.picture_count == 49


def test_an_unknown_picture(dataset, withdraw):
    with pytest.raises(PictureUnknown):
        withdraw("0" * 64)


def test_a_training_that_waits_is_canceled(experiment, withdraw):
    withdraw()
    experiment.job.refresh_from_db()
    assert experiment.job.state == State.CANCELED
    assert "withdrawn" in experiment.job.error


def test_nothing_of_it_stays_with_a_training(trained, dataset, withdraw):
    model = services.save_model(experiment=trained)
    shown = trained.snapshots.first().nearest[0]["sha256"]
    index = NearestIndex.objects.get()
    withdraw(shown)
    assert not files.prepared_folder(trained.pk).exists()
    assert not NearestIndex.objects.exists()
    assert not default_storage.exists(index.file)
    for snapshot in trained.snapshots.all():
        assert shown not in {found["sha256"] for found in snapshot.nearest}
        assert len(snapshot.nearest) == 28
    assert notices_of(model.source)


def test_a_stopped_training_cannot_be_resumed(experiment, withdraw):
    experiment.job.state = State.STOPPED
    experiment.job.save()
    withdraw()
    with pytest.raises(DatasetUnfit, match="A picture of this training was withdrawn"):
        services.resume_training(training=experiment)


def test_a_worker_that_comes_too_late_is_told(experiment, dataset, withdraw):
    withdraw()
    experiment.job.refresh_from_db()
    experiment.job.state = State.QUEUED
    experiment.job.save()
    run_pending("train")
    experiment.job.refresh_from_db()
    assert experiment.job.state == State.FAILED
    assert "was withdrawn" in experiment.job.error


def test_it_is_refused_when_it_is_sent_again(dataset, withdraw):
    services.freeze_version(dataset=dataset, crop="center")
    with default_storage.open(withdraw.image.file) as stored:
        content = stored.read()
    withdraw()
    services.add_files(dataset=dataset, arrived=[ContentFile(content, name="again.png")])
    run_pending("light")
    (file,) = UploadedFile.objects.filter(name="again.png")
    assert (file.status, dataset.images.count()) == (UploadedFile.Status.REFUSED, 49)
    assert "withdrawn" in file.reason


def test_what_was_exported_of_it_is_refused_too(empty_dataset, owner, django_capture_on_commit_callbacks):
    """As a JPEG it has other pixels than what arrived, and after the withdrawal no row tells its hash."""
    photographs = {f"{number}.jpg": crafted.encoded(crafted.picture(number), "JPEG") for number in range(50)}
    services.add_files(
        dataset=empty_dataset,
        arrived=[ContentFile(content, name=name) for name, content in photographs.items()],
    )
    run_pending("light")
    state_rights(empty_dataset)
    services.freeze_version(dataset=empty_dataset, crop="center")
    image = empty_dataset.images.first()
    with default_storage.open(image.file) as stored:
        exported = stored.read()
    with django_capture_on_commit_callbacks(execute=True):
        services.withdraw_picture(dataset=empty_dataset, sha256=image.sha256, actor=owner)
    services.add_files(dataset=empty_dataset, arrived=[ContentFile(exported, name="export.jpg")])
    run_pending("light")
    (file,) = UploadedFile.objects.filter(name="export.jpg")
    assert (file.status, empty_dataset.images.count()) == (UploadedFile.Status.REFUSED, 49)
    assert "withdrawn" in file.reason
    empty_dataset.refresh_from_db()
    (added,) = fill(empty_dataset, 1, first=500)
    added.upload_sha256 = hashlib.sha256(exported).hexdigest()
    added.save()
    with pytest.raises(DatasetUnfit, match="was withdrawn"):
        services.freeze_version(dataset=empty_dataset, crop="center")


def test_the_administration_reads_the_record_and_changes_nothing(dataset, withdraw, staff, client):
    services.freeze_version(dataset=dataset, crop="center")
    image = withdraw()
    client.force_login(staff)
    assert image.sha256 in client.get(reverse("admin:training_withdrawal_changelist")).content.decode()
    address = reverse("admin:training_withdrawal_delete", args=[Withdrawal.objects.get().pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
    assert Withdrawal.objects.count() == 1


def test_it_is_not_trained_on_when_it_comes_back(dataset, withdraw):
    services.freeze_version(dataset=dataset, crop="center")
    image = withdraw()
    fill(dataset, 1, first=500)
    assert services.freeze_version(dataset=dataset, crop="center").count == 50
    DatasetImage.objects.create(
        dataset=dataset, name="again.png", upload_sha256="1" * 64, sha256=image.sha256,
        file="datasets/x", thumbnail="datasets/y", width=64, height=64, size_bytes=1,
    )  # fmt: skip
    with pytest.raises(DatasetUnfit, match=r"again\.png was withdrawn"):
        services.freeze_version(dataset=dataset, crop="center")


def test_whoever_is_killed_before_the_files_went_leaves_them_to_the_sweep(dataset, withdraw, owner):
    services.freeze_version(dataset=dataset, crop="center")
    image = withdraw.image
    services.withdraw_picture(dataset=dataset, sha256=image.sha256, actor=owner)  # nothing after the commit
    assert default_storage.exists(image.file)
    removed = sweep_files(older_than=timedelta(minutes=-1))
    assert image.file in removed
    assert len(keys_of(dataset)) == 49 * 3


def test_all_that_was_made_with_it_is_found(trained, dataset, owner, withdraw, django_assert_max_num_queries):
    model = services.save_model(experiment=trained)
    mix = Source.objects.create(kind=Source.Kind.MODEL, label="Mix", sha256="9" * 64, licence_id="own-work")
    Derivation.objects.create(child=mix, parent=model.source, role=Derivation.Role.MIX_PARENT)
    later = services.start_experiment(owner=owner, dataset=dataset, starting_point=model, steps=10)
    # Frozen again with fewer pictures: that one is not concerned.
    services.remove_image(image=withdraw.image)
    apart = services.start_experiment(
        owner=owner, dataset=_filled(dataset), starting_point=None, steps=10, crop="squeeze"
    )
    found = uses.find_picture(dataset, withdraw.image.sha256)
    with django_assert_max_num_queries(7):
        made = uses.uses_of_versions(found.versions, owner)
    assert set(made.trainings) == {trained, later}
    assert apart not in made.later
    assert [str(entry.role_label) for entry in made.models] == ["Dataset", "Parent of a mix"]


def _filled(dataset: Dataset) -> Dataset:
    fill(dataset, 1, first=900)
    return dataset
