"""`manage.py add_base`: what is told, what is asked, what is there afterwards."""

import builtins
import shutil

import pytest
from django.core.management import CommandError, call_command

from catalog.models import CatalogModel, ModelFile
from catalog.selectors import base_models
from jobs import speed
from tests.catalog.bases import tiny_base_folder


@pytest.fixture
def folder(licences, tmp_path):
    return shutil.copytree(tiny_base_folder(), tmp_path / "My Base")


def test_what_it_is_and_asks_for_is_told_before_it_is_added(folder, staff, stranger, capsys, monkeypatch):
    monkeypatch.setattr(builtins, "input", lambda _question: "n")
    monkeypatch.setattr(speed, "known", lambda: 50.0)
    call_command("add_base", folder, license="apache-2.0")
    told = capsys.readouterr().out
    assert "Apache License 2.0" in told
    assert "It asks:    Name the authors and the licence; Say what you changed" in told
    assert "for pictures" in told
    assert "s a step of training" in told
    assert not CatalogModel.objects.exists()
    call_command("add_base", folder, license="apache-2.0", yes=True)
    base = base_models(staff).get()
    assert (base.model.name, base.model.title, base.licence_id) == ("my-base", "My Base", "apache-2.0")
    assert not base_models(stranger).exists()


def test_a_base_for_everybody_belongs_to_the_studio(folder, stranger, capsys):
    call_command("add_base", folder, license="mit", name="base", title="A base", public=True, yes=True)
    version = base_models(stranger).get()
    assert version.model.address == "atelier/base"
    assert version.sha256 in capsys.readouterr().out
    stored = set(ModelFile.objects.values_list("sha256", flat=True))
    call_command("add_base", folder, license="mit", name="again", public=True, yes=True)
    assert set(ModelFile.objects.values_list("sha256", flat=True)) == stored


def widen(folder):
    """Pretend that the text encoder's vectors are longer than the transformer expects."""
    config = folder / "text_encoder" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 24'))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "model_index.json").unlink(), "model_index.json"),
        (lambda folder: shutil.rmtree(folder / "text_encoder_2"), "text_encoder_2/ is missing"),
        (widen, "transformer expects text vectors of width 16, text_encoder gives 24"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(folder, staff, spoil, message):
    spoil(folder)
    with pytest.raises(CommandError, match=message):
        call_command("add_base", folder, license="mit", yes=True)


def test_other_reasons_to_refuse_are_told(folder):
    with pytest.raises(CommandError, match=r"no licence “none”. These are: .*apache-2.0"):
        call_command("add_base", folder, license="none", yes=True)
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("add_base", folder, license="mit", yes=True)
    call_command("add_base", folder, license="mit", public=True, yes=True)
    with pytest.raises(CommandError, match="my-base-2"):
        call_command("add_base", folder, license="mit", public=True, yes=True)
