"""The two shipped small networks, and the recipes that made them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engines.files import sha256_file
from engines.onnx.manifest import read_onnx_manifest
from engines.onnx.run import OnnxModel
from engines.starters import STARTERS_DIR
from engines.starters.drawings import draw
from engines.starters.small_networks import enlarge, identify

SHIPPED = [folder for folder in sorted(STARTERS_DIR.glob("*")) if (folder / "model.onnx").is_file()]
LIMIT = int(2.5 * (1 << 20))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_folder_is_whole_and_says_what_it_is(folder: Path):
    manifest = read_onnx_manifest(folder)
    assert sha256_file(folder / "model.onnx") == manifest.files["model.onnx"]
    assert (folder / "README.md").is_file()
    assert json.loads((folder / "stats.json").read_text())["onnx_difference"] < 1e-3


def test_together_they_are_small():
    assert sum(path.stat().st_size for folder in SHIPPED for path in folder.iterdir()) < LIMIT


def drawings(count: int = 8) -> identify.Drawings:
    """Squares and bars of one ink, of two things by two sets."""
    pixels = np.zeros((count, 4, 64, 64), np.uint8)
    for place in range(count):
        height = 40 if place % 2 else 6
        pixels[place, :, 32 - height // 2 : 32 + height // 2, 8:56] = 255
    return identify.Drawings(
        pixels=pixels,
        things=np.arange(count) % 2,
        sets=np.arange(count) // 2 % 4,
        is_ink=np.ones(count, np.bool_),
    )


def test_of_each_thing_one_set_is_held_out():
    held = drawings().held_out
    assert held.sum() == 2
    assert not drawings(4).held_out.any()


def test_the_same_seed_composes_the_same_pictures(monkeypatch):
    monkeypatch.setattr(identify, "_GROUNDS", 4)
    first, second = (identify.Composer(drawings(), seed=3).random_batch(6) for _time in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert first[0].shape == (6, 3, 64, 64)
    assert first[0].min() >= 0
    assert first[0].max() <= 1


def test_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(identify, "_GROUNDS", 4)
    monkeypatch.setattr(identify, "BATCH", 4)
    identify.train_identifier(drawings(), tmp_path, steps=2)
    assert [path.name for path in tmp_path.iterdir()] == ["000002"]
    network = identify.train_identifier(drawings(), tmp_path, steps=3)
    assert [path.name for path in tmp_path.iterdir()] == ["000003"]
    held = drawings().where(drawings().held_out)
    figures = identify.measure_identifier(network, held, views=1)
    assert figures["drawings"] == 2
    assert 0 <= figures["first"] <= figures["five"] <= 1


def test_an_untrained_enlarger_is_bicubic():
    network = enlarge.Enlarger().eval()
    small = torch.rand(1, 3, 9, 12)
    expected = torch.nn.functional.interpolate(small, scale_factor=2, mode="bicubic")
    assert torch.allclose(network(small), expected)


def test_the_shipped_enlarger_beats_bicubic_on_a_picture_that_it_never_saw(tmp_path):
    """A drawn landscape, which was in none of its pictures."""
    true = np.asarray(draw("landscapes", 5, size=96))
    Image.fromarray(enlarge.halved(true)).save(tmp_path / "small.png")
    with OnnxModel(STARTERS_DIR / "enlarge2x") as model:
        model.run({"picture": tmp_path / "small.png"}, out=tmp_path)
    with Image.open(tmp_path / "larger.png") as opened:
        made = np.asarray(opened)
    assert enlarge.psnr(made, true) > enlarge.psnr(enlarge.doubled(enlarge.halved(true)), true)
