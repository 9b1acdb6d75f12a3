"""Which models somebody may run and start from."""

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from catalog.models import CatalogModel, Visibility
from catalog.selectors import find_runnable, runnable_models, starting_points
from catalog.services import add_version
from tests.catalog.folders import make_folder


def names(versions):
    return [version.model.name for version in versions]


def test_own_and_public_models_can_be_run(publish, owner, stranger):
    publish(owner, "mine")
    publish(stranger, "theirs", seed=1)
    publish(stranger, "shown", seed=2, visibility=Visibility.PUBLIC)
    assert set(names(runnable_models(owner))) == {"mine", "shown"}
    assert names(runnable_models(AnonymousUser())) == ["shown"]


def test_withdrawn_models_cannot(publish, owner):
    publish(owner, "mine")
    CatalogModel.objects.update(withdrawn_at=timezone.now())
    assert names(runnable_models(owner)) == []


def test_other_families_cannot(publish, owner):
    publish(owner, "mine")
    CatalogModel.objects.update(family="onnx")
    assert names(runnable_models(owner)) == []


def test_the_newest_version_is_the_one(version, owner, tmp_path):
    newest = add_version(
        model=version.model, folder=make_folder(tmp_path / "new", seed=3), licence=version.licence
    )
    assert list(runnable_models(owner)) == [newest]


def test_starting_points_have_a_discriminator_and_the_resolution(publish, licences, owner, tmp_path):
    version = publish(owner, "mine")
    assert list(starting_points(owner)) == [version]
    assert list(starting_points(owner, resolution=128)) == []
    add_version(
        model=version.model,
        folder=make_folder(tmp_path / "bare", seed=4, discriminator=False),
        licence=version.licence,
    )
    assert list(starting_points(owner)) == []


def test_shipped_models_come_first_to_start_from_and_last_to_run(publish, owner, stranger):
    publish(stranger, "shipped", visibility=Visibility.PUBLIC, is_starter=True)
    publish(owner, "mine", seed=1)
    assert names(starting_points(owner)) == ["shipped", "mine"]
    assert names(runnable_models(owner)) == ["mine", "shipped"]


def test_find_by_address(version, owner, stranger):
    assert find_runnable(owner, version.model.address) == version
    assert find_runnable(stranger, version.model.address) is None
    for garbage in ("", "/", "faces", "a/b/c", "x" * 500):
        assert find_runnable(owner, garbage) is None


def test_whether_there_is_a_grid_is_known(version, owner):
    assert runnable_models(owner).get().has_grid
