"""Making and deleting datasets, taking pictures out."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from jobs.files import list_keys
from jobs.models import Queue, State
from jobs.testing import run_pending
from training import drawing, files, services
from training.models import Dataset, DatasetVersion, Experiment


@pytest.fixture
def sample(licence, owner):
    return services.create_sample_dataset(owner=owner, family="cats", count=6)


def test_a_sample_is_drawn_by_a_light_job(sample):
    (job,) = run_pending("light")
    assert (job.queue, job.state, job.step, job.total) == (Queue.LIGHT, State.SUCCEEDED, 6, 6)
    sample.refresh_from_db()
    assert sample.picture_count == 6
    assert {image.name for image in sample.images.all()} == {f"cats-{index:05d}.png" for index in range(6)}
    assert all(default_storage.exists(image.file) for image in sample.images.all())
    assert sample.licence_id == "cc0-1.0"


def test_a_second_click_gives_the_same_sample(sample, owner):
    assert services.create_sample_dataset(owner=owner, family="cats") == sample
    assert len(run_pending("light")) == 1


def test_drawing_goes_on_where_it_stood(sample):
    run_pending("light")
    gone = sample.images.first()
    services.remove_image(image=gone)
    upload = sample.uploads.get()
    upload.job.state = State.QUEUED
    upload.job.save()
    run_pending("light")
    sample.refresh_from_db()
    assert sample.picture_count == sample.images.count() == 6


def test_a_sample_deleted_while_it_is_drawn_leaves_no_files(sample):
    lock = drawing.lock_dataset

    def delete_first(dataset_id):
        Dataset.objects.filter(pk=dataset_id).delete()
        return lock(dataset_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "lock_dataset", delete_first)
        (job,) = run_pending("light")
    assert job.state == State.FAILED
    assert "dataset was deleted" in job.error
    assert list_keys(files.dataset_prefix(sample.pk)) == []


def test_an_unknown_family_is_refused(licence, owner):
    with pytest.raises(ValueError, match="no drawn family"):
        services.create_sample_dataset(owner=owner, family="dragons")


def test_a_removed_picture_is_gone_with_its_files(dataset, django_capture_on_commit_callbacks):
    image = dataset.images.first()
    with django_capture_on_commit_callbacks(execute=True):
        services.remove_image(image=image)
    dataset.refresh_from_db()
    assert dataset.picture_count == dataset.images.count() == 49
    assert not default_storage.exists(image.file)
    assert not default_storage.exists(image.thumbnail)


def test_a_frozen_picture_keeps_its_file_until_the_dataset_goes(dataset, django_capture_on_commit_callbacks):
    services.freeze_version(dataset=dataset, crop="center")
    image = dataset.images.first()
    with django_capture_on_commit_callbacks(execute=True):
        services.remove_image(image=image)
    assert default_storage.exists(image.file)
    assert not default_storage.exists(image.thumbnail)
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_dataset(dataset=dataset)
    assert list_keys(files.dataset_prefix(dataset.pk)) == []


def test_deleting_a_dataset_cancels_what_waits_and_keeps_the_record(experiment, dataset):
    services.delete_dataset(dataset=dataset)
    experiment = Experiment.objects.get(pk=experiment.pk)
    assert experiment.job.state == State.CANCELED
    assert "dataset was deleted" in experiment.job.error
    version = DatasetVersion.objects.get(pk=experiment.dataset_version_id)
    assert (version.dataset_id, version.count) == (None, 50)
    assert version.source.sha256 == version.sha256


def test_deleting_a_dataset_keeps_models_and_snapshots(trained, dataset, django_capture_on_commit_callbacks):
    model = services.save_model(experiment=trained)
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_dataset(dataset=dataset)
    assert trained.snapshots.count() == 2
    assert model.source.derived_from.filter(role="dataset").exists()
    assert not files.prepared_folder(trained.pk).exists()


def test_deleting_a_dataset_cancels_its_uploads(empty_dataset):
    upload = services.add_files(dataset=empty_dataset, arrived=[ContentFile(b"x", name="a.png")])[0].upload
    services.delete_dataset(dataset=empty_dataset)
    upload.job.refresh_from_db()
    assert upload.job.state == State.CANCELED
    assert not Dataset.objects.filter(pk=empty_dataset.pk).exists()
