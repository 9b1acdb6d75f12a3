"""The shipped starters are what they say."""

import numpy as np
import pytest
import torch

from engines.errors import ModelError
from engines.manifest import DISCRIMINATOR_FILE, GENERATOR_FILE, read_model_info, verify_files
from engines.starters import available, starter_folder
from engines.starters.recipes import RECIPES
from engines.stylegan.config import PRESETS, TrainConfig, preset_for
from engines.stylegan.generate import Generator
from engines.stylegan.state import TrainState

MAX_BYTES = int(7.8e6)  # of all together; the rest of the 30 MB is the text-to-image base's
CPU64_BYTES = int(2.6e6)  # of one


def test_every_recipe_is_shipped():
    assert available() == sorted(RECIPES)


def test_all_together_are_small():
    folders = [starter_folder(name) for name in RECIPES]
    sizes = [path.stat().st_size for folder in folders for path in folder.glob("*.safetensors")]
    assert sum(sizes) <= MAX_BYTES


@pytest.mark.parametrize("name", RECIPES)
def test_a_starter_is_complete_and_small(name):
    folder = starter_folder(name)
    info = read_model_info(folder)
    verify_files(folder, info)
    recipe = RECIPES[name]
    assert info.name == name
    assert set(info.files) == {GENERATOR_FILE, DISCRIMINATOR_FILE}
    assert info.architecture == recipe.settings["architecture"].as_dict()
    assert preset_for(recipe.settings["architecture"]).title == PRESETS[recipe.preset].title
    assert sum((folder / file).stat().st_size for file in info.files) < CPU64_BYTES
    assert (folder / "grid.png").is_file()


@pytest.mark.parametrize("name", RECIPES)
def test_a_starter_tells_what_it_comes_from(name):
    folder = starter_folder(name)
    info = read_model_info(folder)
    recipe = RECIPES[name]
    page = (folder / "README.md").read_text("utf-8")
    assert info.licence == recipe.licence
    assert info.lineage[0]["kind"] == "dataset"
    assert info.lineage[0]["images"] == recipe.pictures.count
    ancestors = {entry["name"] for entry in info.lineage if entry["kind"] == "model"}
    assert ancestors >= ({recipe.start} if recipe.start else set())
    assert info.licence in page
    assert f"{recipe.pictures.count:,} pictures" in page
    assert all(line in page for line in recipe.attributions)
    assert f"{info.nimg:,} images" in page


@pytest.mark.parametrize("name", RECIPES)
def test_a_starter_makes_varied_images(name):
    images = Generator.load(starter_folder(name)).images(range(8)).astype(float)
    assert images.std(axis=0).mean() > 20
    assert np.abs(np.diff(images, axis=2)).mean() > 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_starts_from_a_starter(name, tmp_path):
    folder = starter_folder(name)
    config = TrainConfig(dataset=tmp_path, run_dir=tmp_path, start=folder, precision="fp32")
    state = TrainState.create(config, torch.float32)
    assert state.start_nimg == read_model_info(folder).nimg > 0
    assert state.is_finite()


def test_an_unknown_starter_is_refused_with_the_names_there_are():
    with pytest.raises(ModelError, match="people64"):
        starter_folder("dragons64")
