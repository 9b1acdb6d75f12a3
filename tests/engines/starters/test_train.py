"""Recipes run to the end on small made-up pictures, stage by stage, and what they make can be shipped."""

import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from engines.errors import DatasetError
from engines.manifest import DISCRIMINATOR_FILE, read_model_info, verify_files
from engines.progress import Control, SilentHost
from engines.starters import pictograms, train
from engines.starters.drawings import flowers
from engines.starters.drawings.paint import Dice
from engines.starters.drawings.palette import GROUNDS
from engines.starters.recipes import RECIPES, Stage
from engines.stylegan.config import TrainConfig
from engines.stylegan.state import TrainState

_TINTS = np.array([tint for tint, _ in GROUNDS])
ROWS = (
    ("person", "woman: dark skin tone"),
    ("person", "woman: light skin tone"),
    ("person", "child"),
    ("person", "man: bald"),
    ("person", "older person"),
    ("person-role", "woman pilot: dark skin tone"),
    ("person-role", "woman singer"),
    ("person-fantasy", "merperson"),
    ("person-fantasy", "Mrs. Claus: light skin tone"),
    ("face-smiling", "grinning face"),
    ("face-negative", "skull"),
    ("face-costume", "robot"),
    ("animal-mammal", "cat"),
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with a pictogram set of a few discs."""
    folder = tmp_path_factory.mktemp("images")
    (folder / pictograms.NOTO / "images").mkdir(parents=True)
    rows = []
    for index, (subgroup, text) in enumerate(ROWS):
        file_name = f"images/{index}.png"
        (folder / pictograms.NOTO / file_name).write_bytes(_disc((250 - 20 * index, 90, 20 * index, 255)))
        rows.append({"file_name": file_name, "text": text, "subgroup": subgroup})
    (folder / pictograms.NOTO / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def _disc(tint):
    image = Image.new("RGBA", (128, 128))
    ImageDraw.Draw(image).ellipse((4, 4, 123, 123), fill=tint)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def short_recipe(monkeypatch):
    """Cut a recipe down to three steps on few pictures, in two stages."""

    def shorten(name, count=6):
        recipe = RECIPES[name]
        stages = tuple(
            Stage(steps=steps, settings=stage.settings)
            for steps, stage in ((2, recipe.stages[0]), (3, recipe.stages[-1]))
        )
        shorter = replace(recipe, pictures=replace(recipe.pictures, count=count), stages=stages)
        monkeypatch.setattr(train, "RECIPES", {**RECIPES, name: shorter})

    return shorten


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_through_its_stages(name, short_recipe, images, tmp_path):
    short_recipe(name)
    result = train.train_starter(name, tmp_path, images=images, host=SilentHost())
    assert (result.outcome, result.step) == ("finished", 3)
    info = read_model_info(result.snapshot.folder)
    assert (info.name, info.licence) == (name, RECIPES[name].licence)


def test_a_recipe_goes_on_where_it_was_stopped(short_recipe, tmp_path):
    class Stopping(SilentHost):
        def progress(self, progress):
            return Control.STOP

    short_recipe("flowers64")
    assert train.train_starter("flowers64", tmp_path, host=Stopping()).step == 1
    again = train.train_starter("flowers64", tmp_path, host=SilentHost())
    assert (again.outcome, again.step) == ("finished", 3)


def test_a_shipped_model_has_a_smaller_discriminator_and_makes_the_same_images(short_recipe, tmp_path):
    short_recipe("flowers64")
    snapshot = train.train_starter("flowers64", tmp_path, host=SilentHost()).snapshot.folder
    train.ship(snapshot, tmp_path / "shipped")
    info = read_model_info(tmp_path / "shipped")
    verify_files(tmp_path / "shipped", info)
    assert info.sha256 == read_model_info(snapshot).sha256
    discriminator = load_file(tmp_path / "shipped" / DISCRIMINATOR_FILE)
    assert {tensor.dtype for tensor in discriminator.values()} == {torch.float16}
    config = TrainConfig(dataset=tmp_path, run_dir=tmp_path, start=tmp_path / "shipped")
    assert TrainState.create(config, torch.float32).is_finite()


def test_pictograms_are_chosen_by_what_they_show(images):
    def texts(family):
        return [text for subgroup, text in ROWS if family.keep({"subgroup": subgroup, "text": text})]

    assert texts(pictograms.PEOPLE) == ["woman: dark skin tone", "woman: light skin tone", "child"]


def test_pictures_are_composed_the_same_again_on_plain_grounds_that_show_the_drawing(images, tmp_path):
    family = replace(pictograms.PEOPLE, count=9)
    first, again = (
        [np.asarray(Image.open(path)) for path in family.write(tmp_path / name, size=32, images=images)]
        for name in ("first", "again")
    )
    assert np.array_equal(first, again)
    low, high = (side(axis=0) for side in (_TINTS.min, _TINTS.max))
    for picture in first:
        assert ((low <= picture[0, 0]) & (picture[0, 0] <= high)).all()
        assert (picture[[0, 0, -1, -1], [0, -1, 0, -1]] == picture[0, 0]).all()
        assert np.abs(picture[16, 16].astype(int) - picture[0, 0]).max() > 30


def test_colours_lie_anywhere_between_those_of_two_tones():
    tones = [Image.new("RGBA", (1, 1), tint) for tint in ((100, 0, 40, 255), (200, 0, 80, 255))]
    reds = {pictograms.between(tones, Dice(1, index)).getpixel((0, 0))[0] for index in range(40)}
    assert min(reds) == 100
    assert max(reds) == 200
    assert len(reds) > 10


def test_a_drawing_keeps_its_colours_to_the_edge():
    """No dark or light seam from the colour of what is transparent."""
    drawing = Image.open(io.BytesIO(_disc((240, 200, 40, 255))))
    pixels = np.asarray(pictograms.compose(drawing, Dice(1, 2), 64)).astype(int).reshape(-1, 3)
    ground, ink = pixels[0], np.array((240, 200, 40))
    low, high = np.minimum(ground, ink), np.maximum(ground, ink)
    assert (pixels >= low - 3).all()
    assert (pixels <= high + 3).all()


def test_pictograms_that_are_missing_are_asked_for(short_recipe, tmp_path, monkeypatch, capsys):
    short_recipe("people64")
    with pytest.raises(DatasetError, match="--images"):
        train.train_starter("people64", tmp_path, host=SilentHost())
    monkeypatch.setattr(
        sys, "argv", ["train", "people64", "--images", str(tmp_path), "--out", str(tmp_path / "out")]
    )
    assert train.main() == 1
    assert "noto_color.zip" in capsys.readouterr().err


def test_the_command_leaves_a_model_folder(short_recipe, tmp_path, monkeypatch):
    short_recipe("flowers64")
    monkeypatch.setattr(sys, "argv", ["train", "flowers64", "--out", str(tmp_path)])
    assert train.main() == 0
    verify_files(tmp_path / "flowers64", read_model_info(tmp_path / "flowers64"))


def test_a_starter_learns_from_those_drawings_alone_that_it_can(tmp_path):
    pictures = replace(RECIPES["flowers64"].pictures, count=12)
    paths = pictures.write(tmp_path, size=16, images=None)
    kinds = {flowers.flower(int(path.stem.rpartition("-")[2])).kind for path in paths}
    assert len(paths) == 12
    assert {kind.name for kind in kinds} == {"cosmos"}
