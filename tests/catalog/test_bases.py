"""Bases of text to image in the catalog, and what was trained on them."""

import shutil

import pytest
from django.urls import reverse

from catalog.exceptions import BrokenModelError, ModelInUseError, NameTakenError
from catalog.files import materialise
from catalog.models import CatalogModel, Visibility
from catalog.selectors import (
    base_models,
    find_base,
    find_trained,
    runnable_models,
    trained_models,
    words_of,
)
from catalog.services import delete_model
from engines.diffusion.base import Base
from engines.diffusion.folders import fingerprint
from engines.diffusion.lora_files import read_lora
from engines.diffusion.manifests import LORA_FILE, read_lora_manifest
from engines.diffusion.words import WORDS_FILE, Words, write_words
from tests.catalog.bases import publish_tiny_base, publish_tiny_lora, tiny_base_folder


@pytest.fixture
def base(licences, owner):
    return publish_tiny_base(owner)


def test_a_base_is_laid_out_as_a_folder_that_the_engine_opens(base):
    folder = materialise(base)
    opened = Base.open(folder)
    assert opened.fingerprint == base.manifest["fingerprint"] == fingerprint(tiny_base_folder())
    assert (base.manifest["kind"], base.resolution) == (opened.family.name, opened.resolution)
    assert base.parameters == sum(opened.info.parameters.values())
    assert base.manifest["memory_bytes"]["train"] > base.manifest["memory_bytes"]["generate"] > 0


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3", "flux"])
def test_resolution_is_told_without_loading(licences, owner, family):
    version = publish_tiny_base(owner, family=family, name=family)
    assert version.resolution == Base.open(tiny_base_folder(family)).resolution


def test_only_what_is_needed_is_copied(licences, owner, tmp_path):
    folder = shutil.copytree(tiny_base_folder(), tmp_path / "base")
    (folder / "transformer" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"second format")
    (folder / "LICENSE.md").write_text("Do as you like.")
    paths = {file.path for file in publish_tiny_base(owner, folder).files.all()}
    assert {"LICENSE.md", "model.json", "model_index.json", "vae/config.json"} <= paths
    assert not any("fp16" in path for path in paths)
    assert not (folder / "model.json").exists()


def test_every_missing_file_is_named(licences, owner, tmp_path):
    folder = shutil.copytree(tiny_base_folder(), tmp_path / "base")
    (folder / "transformer" / "config.json").unlink()
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(BrokenModelError) as caught:
        publish_tiny_base(owner, folder)
    assert "transformer/config.json" in str(caught.value.message)
    assert "vae/diffusion_pytorch_model.safetensors" in str(caught.value.message)
    assert not CatalogModel.objects.exists()


def test_a_name_is_given_once(base, owner):
    with pytest.raises(NameTakenError):
        publish_tiny_base(owner)


def test_bases_are_found_by_those_who_may_use_them(base, owner, stranger):
    shipped = publish_tiny_base(owner, name="shipped", is_starter=True)
    hidden = publish_tiny_base(owner, name="hidden", visibility=Visibility.PRIVATE)
    assert list(base_models(stranger)) == [shipped, base]
    assert find_base(stranger, base.model.address) == base
    assert find_base(stranger, hidden.model.address) is None
    assert find_base(owner, hidden.model.address) == hidden
    assert not runnable_models(owner).exists()


def test_trained_models_are_those_of_the_same_weights(base, owner, stranger, tmp_path):
    lora = publish_tiny_lora(owner, base, tmp_path / "lora")
    other = publish_tiny_base(owner, family="sd15", name="other")
    assert list(trained_models(owner)) == list(trained_models(owner, base)) == [lora]
    assert list(trained_models(owner, other)) == list(trained_models(stranger)) == []
    assert find_trained(owner, lora.model.address) == lora
    assert find_trained(owner, base.model.address) is None


def test_a_trained_model_fits_its_base(base, owner, tmp_path):
    lora = publish_tiny_lora(owner, base, tmp_path / "lora")
    folder = materialise(lora)
    assert read_lora_manifest(folder).keyword == "mimochi"
    assert lora.parameters == 128
    assert read_lora(folder / LORA_FILE, Base.open(materialise(base))).info.trigger_phrase == "mimochi"


def test_a_base_stays_while_trained_models_need_it(base, owner, stranger, tmp_path):
    lora = publish_tiny_lora(stranger, base, tmp_path / "lora")
    with pytest.raises(ModelInUseError, match="1 trained model makes its pictures on this base"):
        delete_model(model=base.model)
    same = publish_tiny_base(owner, name="same")
    delete_model(model=base.model)
    with pytest.raises(ModelInUseError):
        delete_model(model=same.model)
    delete_model(model=lora.model)
    delete_model(model=same.model)
    assert not CatalogModel.objects.exists()


def test_what_a_base_knows_is_read_from_its_files(licences, owner, tmp_path):
    folder = shutil.copytree(tiny_base_folder(), tmp_path / "base")
    write_words(folder / WORDS_FILE, Words({"cat": 3}))
    assert words_of(publish_tiny_base(owner, folder)) == Words({"cat": 3})
    assert words_of(publish_tiny_base(owner, name="mute")) is None


def test_pages_of_bases_and_trained_models_are_shown(base, owner, owner_client, tmp_path):
    lora = publish_tiny_lora(owner, base, tmp_path / "lora")
    for model in (base.model, lora.model):
        address = reverse("catalog:model_detail", args=[owner.handle, model.name])
        assert model.title in owner_client.get(address).text
