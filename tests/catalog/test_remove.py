"""Deleting a model."""

import pytest

from catalog import registry
from catalog.exceptions import ModelInUseError
from catalog.files import materialise
from catalog.models import CatalogModel, Derivation, ModelFile, Source
from catalog.registry import Dependents, register_dependents
from catalog.services import delete_model
from jobs import holds


def stored(files):
    return {path.name for path in (files / "weights").rglob("*") if path.is_file()}


def test_rows_files_and_local_folder_go(version, files, django_capture_on_commit_callbacks):
    folder = materialise(version)
    holds.let_go()
    with django_capture_on_commit_callbacks(execute=True):
        delete_model(model=version.model)
    assert not CatalogModel.objects.exists()
    assert not ModelFile.objects.exists()
    assert not Source.objects.exists()
    assert not stored(files)
    assert not folder.exists()


def test_files_that_another_model_has_stay(publish, owner, files, django_capture_on_commit_callbacks):
    first, second = publish(owner, "one"), publish(owner, "two")
    before = stored(files)
    with django_capture_on_commit_callbacks(execute=True):
        delete_model(model=first.model)
    assert stored(files) == before
    assert materialise(second).is_dir()


def test_nothing_is_removed_before_the_commit(version, files, django_capture_on_commit_callbacks):
    before = stored(files)
    with django_capture_on_commit_callbacks():
        delete_model(model=version.model)
    assert stored(files) == before


def test_lineage_of_what_was_made_from_it_stays(publish, owner, version):
    child = publish(owner, "cats", seed=1, parents=[(version.source, Derivation.Role.STARTING_POINT)])
    delete_model(model=version.model)
    assert child.source.parents.get().label == "Faces"


def test_what_blocks_is_named_and_nothing_changes(version, monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    register_dependents(Dependents(name="test", describe=lambda model: "Still training.", blocks=True))
    with pytest.raises(ModelInUseError, match="Still training"):
        delete_model(model=version.model)
    assert CatalogModel.objects.exists()
