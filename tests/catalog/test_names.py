"""Names of models: suggestions and renaming."""

import pytest

from catalog.exceptions import NameTakenError
from catalog.services import check_name_free, rename_model, suggest_names


def test_free_name_comes_first(owner):
    assert suggest_names(owner=owner, wanted="My Cats", count=1) == ["my-cats"]


def test_taken_names_are_left_out(publish, owner):
    publish(owner, "cats")
    publish(owner, "cats-2", seed=1)
    assert suggest_names(owner=owner, wanted="Cats") == ["cats-3", "cats-4", "cats-5"]


@pytest.mark.parametrize("wanted", ["", "   ", "!!!", "猫", "-"])
def test_name_without_letters_becomes_model(owner, wanted):
    assert suggest_names(owner=owner, wanted=wanted, count=1) == ["model"]


def test_long_name_is_cut_to_fit_the_column(owner):
    assert all(len(name) <= 60 for name in suggest_names(owner=owner, wanted="x" * 300))


def test_own_name_is_free_for_oneself(version):
    check_name_free(owner=version.model.owner, name="faces", other_than=version.model)
    with pytest.raises(NameTakenError):
        check_name_free(owner=version.model.owner, name="faces")


def test_rename_changes_address_and_title_only(version):
    rename_model(model=version.model, name="portraits", title="Portraits")
    version.model.refresh_from_db()
    assert (version.model.name, version.model.title) == ("portraits", "Portraits")
    assert version.source.label == "Faces"


def test_rename_to_a_taken_name_is_refused(publish, owner, version):
    publish(owner, "cats", seed=1)
    with pytest.raises(NameTakenError):
        rename_model(model=version.model, name="cats", title="Cats")
