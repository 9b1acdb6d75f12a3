"""The hook for an operator's content checker, with a tiny classifier that tells dark from bright."""

import json

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification

from engines.diffusion.checker import Checker
from engines.errors import ConfigError, ModelError

LABELS = {0: "fine", 1: "bright", 2: "dark"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random weights, but for the last layer: trained by least squares on how bright flat pictures are."""
    folder = tmp_path_factory.mktemp("checker")
    config = ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        id2label=LABELS,
        label2id={label: number for number, label in LABELS.items()},
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = ViTForImageClassification(config).eval()
        levels = torch.linspace(-1, 1, 9)
        hidden = model.vit(levels[:, None, None, None].expand(-1, 3, 16, 16)).last_hidden_state[:, 0]
        wanted = torch.stack((0.5 - levels.abs(), levels, -levels), 1) * 20
        known = torch.cat((hidden, torch.ones(9, 1)), 1)
        solved = torch.linalg.lstsq(known, wanted, driver="gelsd").solution
        model.classifier.weight.copy_(solved[:-1].T)
        model.classifier.bias.copy_(solved[-1])
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 16, "width": 16}}))
    return folder


def flat(level, side=20):
    return np.full((side, side + 4, 3), level, np.uint8)


def test_pictures_with_refused_labels_are_flagged(folder):
    pictures = [flat(255), flat(128), flat(0), *(flat(128) for _ in range(7)), flat(250)]
    both = Checker.open(folder, refused=["bright", "dark"]).flagged(pictures)
    assert both == ["bright", None, "dark", *(None for _ in range(7)), "bright"]
    assert Checker.open(folder, refused=["dark"]).flagged(pictures[:3]) == [None, None, "dark"]
    assert Checker.open(folder, refused=["dark"]).flagged([]) == []


def test_the_threshold_decides(folder):
    grey = [flat(200)]
    assert Checker.open(folder, refused=["bright"], threshold=0.0).flagged(grey) == ["bright"]
    assert Checker.open(folder, refused=["bright"], threshold=1.0).flagged(grey) == [None]


def test_labels_that_there_are_not_are_named(folder):
    with pytest.raises(ConfigError, match=r"knows no nude\. Its labels are: fine, bright, dark\."):
        Checker.open(folder, refused=["nude", "dark"])
    with pytest.raises(ConfigError, match="no label to refuse"):
        Checker.open(folder, refused=[])


def test_folders_without_a_classifier_are_refused(folder, tmp_path):
    with pytest.raises(ModelError, match="holds no content checker"):
        Checker.open(tmp_path, refused=["dark"])
