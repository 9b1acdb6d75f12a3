"""Publishing a model folder as an immutable version."""

import hashlib
import json
import uuid
from functools import partial

import pytest
from django.core.files.storage import default_storage

from catalog.exceptions import BrokenModelError, NameTakenError
from catalog.files import weight_key
from catalog.models import CatalogModel, Derivation, Licence, ModelFile, ModelVersion, Source
from catalog.services import add_version, delete_model, publish_version
from tests.catalog.at_once import at_once
from tests.catalog.folders import make_folder


def test_version_records_what_the_folder_holds(version):
    assert (version.number, version.resolution, version.parameters) == (1, 64, 16)
    assert {file.path for file in version.files.all()} == {
        "d.safetensors",
        "g_ema.safetensors",
        "grid.png",
        "model.json",
    }
    assert version.size_bytes == sum(file.size_bytes for file in version.files.all())
    assert version.manifest["name"] == "test"
    assert version.model.family == "stylegan2"
    assert version.model.visibility == "private"


def test_files_lie_in_storage_under_their_own_hash(version):
    for file in version.files.all():
        with default_storage.open(weight_key(file.sha256)) as stored:
            content = stored.read()
        assert hashlib.sha256(content).hexdigest() == file.sha256


def test_version_hash_is_what_sha256sum_gives(version):
    lines = "".join(f"{file.sha256}  {file.path}\n" for file in version.files.order_by("path"))
    assert version.sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_weights_hash_is_the_generators(version):
    assert version.weights_sha256 == version.files.get(path="g_ema.safetensors").sha256


def test_same_folder_published_twice_is_stored_once(publish, owner, files):
    publish(owner, "one")
    publish(owner, "two")
    stored = [path for path in (files / "weights").rglob("*") if path.is_file()]
    assert len(stored) == 4
    assert ModelFile.objects.count() == 8


def test_nothing_but_complete_files_is_left_in_storage(version, files):
    assert not list(files.rglob("*.part"))


def test_name_taken_is_refused_with_free_ones(publish, owner):
    publish(owner, "faces")
    with pytest.raises(NameTakenError) as refusal:
        publish(owner, "faces", seed=1)
    assert refusal.value.suggestions == ["faces-2", "faces-3", "faces-4"]
    assert "faces-2" in str(refusal.value.message)
    assert CatalogModel.objects.count() == 1


def test_two_people_may_use_the_same_name(publish, owner, stranger):
    assert publish(owner, "faces").model != publish(stranger, "faces").model


def test_a_job_is_saved_once(publish, owner):
    job = uuid.uuid4()
    first = publish(owner, "faces", saved_from=job)
    assert publish(owner, "other", seed=2, saved_from=job) == first
    assert CatalogModel.objects.count() == 1


def test_lineage_is_recorded(publish, owner, version):
    child = publish(owner, "cats", seed=1, parents=[(version.source, Derivation.Role.STARTING_POINT)])
    edge = child.source.derived_from.get()
    assert (edge.parent, edge.role) == (version.source, "starting_point")


@pytest.mark.parametrize("name", ["model.json", "g_ema.safetensors"])
def test_incomplete_folder_is_refused(licences, owner, tmp_path, name):
    folder = make_folder(tmp_path / "folder")
    (folder / name).unlink()
    with pytest.raises(BrokenModelError):
        publish_version(owner=owner, folder=folder, name="x", title="X", licence=_licence())
    assert not CatalogModel.objects.exists()
    assert not Source.objects.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"family": "stylegan2"}', '{"family": 1, "files": []}'])
def test_unreadable_manifest_is_refused(licences, owner, tmp_path, content):
    folder = make_folder(tmp_path / "folder")
    (folder / "model.json").write_text(content)
    with pytest.raises(BrokenModelError):
        publish_version(owner=owner, folder=folder, name="x", title="X", licence=_licence())


def test_folder_that_differs_from_its_manifest_is_refused(licences, owner, tmp_path):
    folder = make_folder(tmp_path / "folder")
    manifest = json.loads((folder / "model.json").read_text())
    manifest["files"]["d.safetensors"] = "0" * 64
    (folder / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(BrokenModelError, match=r"d\.safetensors"):
        publish_version(owner=owner, folder=folder, name="x", title="X", licence=_licence())
    assert not CatalogModel.objects.exists()


def test_damaged_weights_are_refused(licences, owner, tmp_path):
    folder = make_folder(tmp_path / "folder")
    (folder / "g_ema.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(BrokenModelError):
        publish_version(owner=owner, folder=folder, name="x", title="X", licence=_licence())


def test_versions_count_up(version, tmp_path):
    second = add_version(
        model=version.model, folder=make_folder(tmp_path / "new", seed=5), licence=version.licence
    )
    assert second.number == 2
    assert version.model.latest_version == second


def test_adding_the_same_files_again_adds_nothing(version, tmp_path):
    folder = make_folder(tmp_path / "again")
    assert add_version(model=version.model, folder=folder, licence=version.licence) == version


@pytest.mark.django_db(transaction=True)
def test_versions_published_at_once_get_numbers_of_their_own(publish, owner, tmp_path):
    model = publish(owner).model
    folders = [make_folder(tmp_path / f"at-once-{number}", seed=number) for number in range(1, 5)]
    at_once([partial(add_version, model=model, folder=folder, licence=_licence()) for folder in folders])
    assert sorted(model.versions.values_list("number", flat=True)) == [1, 2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_same_name_published_at_once_is_given_once(licences, owner, tmp_path):
    folders = [make_folder(tmp_path / f"at-once-{number}", seed=number) for number in range(4)]
    values = {"owner": owner, "name": "faces", "title": "Faces", "licence": _licence()}
    outcomes = at_once([partial(publish_version, folder=folder, **values) for folder in folders])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ModelVersion"] + ["NameTakenError"] * 3
    assert ModelVersion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_publishing_while_the_same_files_are_removed_keeps_them(publish, owner, tmp_path):
    """Removing looks for other users of a file while nobody publishes; so the last word is with the rows."""
    doomed = publish(owner, "doomed").model
    folders = [make_folder(tmp_path / f"same-{number}") for number in range(3)]
    values = {"owner": owner, "title": "Kept", "licence": _licence()}
    actions = [partial(publish_version, folder=folder, name=folder.name, **values) for folder in folders]
    at_once([partial(delete_model, model=doomed), *actions])
    assert ModelVersion.objects.count() == 3
    for file in ModelFile.objects.all():
        assert default_storage.exists(weight_key(file.sha256))


def _licence():
    return Licence.objects.get(slug="own-work")
