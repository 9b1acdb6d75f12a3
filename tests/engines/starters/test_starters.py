"""The shipped starters are what they say, and their recipes run."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from engines.errors import ModelError
from engines.manifest import DISCRIMINATOR_FILE, read_model_info, verify_files
from engines.starters import available, starter_folder, train
from engines.starters.drawings import FAMILIES
from engines.stylegan.config import PRESETS, Architecture, preset_for
from engines.stylegan.generate import Generator

MAX_BYTES = 8 * 2**20


def test_every_recipe_is_shipped():
    assert available() == sorted(train.RECIPES)


@pytest.mark.parametrize("name", train.RECIPES)
def test_a_starter_is_complete_and_small(name):
    folder = starter_folder(name)
    info = read_model_info(folder)
    verify_files(folder, info)
    recipe = train.RECIPES[name]
    assert DISCRIMINATOR_FILE in info.files
    assert info.licence == FAMILIES[recipe.family].licence
    assert preset_for(Architecture.from_dict(info.architecture)) is PRESETS[recipe.preset]
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    assert (folder / "README.md").is_file()


@pytest.mark.parametrize("name", train.RECIPES)
def test_a_starter_makes_varied_images(name):
    images = Generator.load(starter_folder(name)).images(range(8)).astype(float)
    assert images.std(axis=0).mean() > 20
    assert np.abs(np.diff(images, axis=2)).mean() > 1


def test_an_unknown_starter_is_refused_with_the_names_there_are():
    with pytest.raises(ModelError, match="faces64"):
        starter_folder("dragons64")


def test_a_recipe_runs_and_resumes(monkeypatch, tmp_path):
    monkeypatch.setitem(train.RECIPES, "faces64", replace(train.RECIPES["faces64"], count=6, steps=1))
    assert train.train_starter("faces64", tmp_path).outcome == "finished"
    shutil.rmtree(tmp_path / "snapshots")
    again = train.train_starter("faces64", tmp_path, steps=2)
    assert again.snapshot.step == 2
    assert read_model_info(again.snapshot.folder).name == "faces64"
