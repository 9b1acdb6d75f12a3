"""Frozen versions of datasets."""

import pytest
from django.core.files.base import ContentFile
from django.db import DatabaseError, transaction

from catalog.models import Licence
from tests.training.conftest import fill
from training import services
from training.exceptions import DatasetUnfit
from training.models import DatasetVersion


def test_a_version_names_its_pictures_and_its_place_in_the_lineage(dataset):
    version = services.freeze_version(dataset=dataset, crop="center")
    assert version.count == len(version.pictures) == 50
    assert [picture["sha256"] for picture in version.pictures] == sorted(
        dataset.images.values_list("sha256", flat=True)
    )
    assert version.source.kind == "dataset"
    assert version.source.sha256 == version.sha256


def test_the_same_pictures_are_the_same_version(dataset):
    first = services.freeze_version(dataset=dataset, crop="center")
    assert services.freeze_version(dataset=dataset, crop="center") == first
    assert services.freeze_version(dataset=dataset, crop="squeeze") != first
    fill(dataset, 1, first=500)
    assert services.freeze_version(dataset=dataset, crop="center").sha256 != first.sha256


def test_the_fingerprint_depends_on_pictures_and_crop_alone(make_dataset, owner):
    one, two = make_dataset(owner, 50, "One"), make_dataset(owner, 50, "Two")
    hashes = {services.freeze_version(dataset=dataset, crop="center").sha256 for dataset in (one, two)}
    assert len(hashes) == 1


def test_another_licence_is_another_version(dataset):
    first = services.freeze_version(dataset=dataset, crop="center")
    dataset.licence = Licence.objects.get(slug="cc0-1.0")
    dataset.save()
    assert services.freeze_version(dataset=dataset, crop="center").licence_id == "cc0-1.0"
    first.refresh_from_db()
    assert first.licence_id == "own-work"


def test_three_pictures_are_too_few(make_dataset, owner):
    with pytest.raises(DatasetUnfit, match=r"has 3 pictures, and training needs at least 50\. Add 47 more"):
        services.freeze_version(dataset=make_dataset(owner, 3), crop="center")


def test_a_dataset_that_is_being_filled_has_to_wait(dataset):
    services.add_files(dataset=dataset, arrived=[ContentFile(b"x", name="a.png")])
    with pytest.raises(DatasetUnfit, match="still being checked"):
        services.freeze_version(dataset=dataset, crop="center")


@pytest.mark.parametrize("change", [{"name": "Other"}, {"count": 1}, {"pictures": []}, {"crop": "squeeze"}])
def test_the_database_refuses_to_change_a_version(dataset, change):
    version = services.freeze_version(dataset=dataset, crop="center")
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        DatasetVersion.objects.filter(pk=version.pk).update(**change)


def test_only_the_dataset_may_leave_a_version(dataset, make_dataset, owner):
    version = services.freeze_version(dataset=dataset, crop="center")
    other = make_dataset(owner)
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        DatasetVersion.objects.filter(pk=version.pk).update(dataset=other)
    DatasetVersion.objects.filter(pk=version.pk).update(dataset=None)
