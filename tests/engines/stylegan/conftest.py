"""A tiny dataset, tiny networks, and hosts that record what they are told."""

import numpy as np
import pytest
from PIL import Image

from engines.dataset import prepare
from engines.progress import Control
from engines.stylegan.config import Architecture, TrainConfig

TINY = Architecture(resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)


class RecordingHost:
    """Remembers everything; answers with `controls[step]` where there is one."""

    def __init__(self, controls=None):
        self.controls = controls or {}
        self.steps = []
        self.losses = []
        self.snapshots = []

    def progress(self, progress):
        self.steps.append(progress.step)
        self.losses.append(dict(progress.losses))
        return self.controls.get(progress.step, Control.CONTINUE)

    def snapshot(self, snapshot):
        assert snapshot.grid.is_file()
        self.snapshots.append(snapshot)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Twelve pictures of 16 pixels: a coloured half on a grey ground."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    pictures = []
    for index in range(12):
        image = Image.new("RGB", (16, 16), (128, 128, 128))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        image.paste(colour, (0, 0, 8, 16) if index % 2 else (0, 0, 16, 8))
        image.save(folder / f"{index}.png")
        pictures.append((f"{index}.png", folder / f"{index}.png"))
    return prepare(pictures, folder / "prepared", resolution=16, crop="center")


@pytest.fixture
def config(dataset, tmp_path):
    """Builds a TrainConfig of a few steps with everything switched on."""

    def build(**overrides):
        values = {
            "dataset": dataset.path,
            "run_dir": tmp_path / "run",
            "architecture": TINY,
            "steps": 6,
            "batch": 4,
            "path_length_weight": 2.0,
            "style_mixing": 0.5,
            "cooldown": 0.5,
            "r1_interval": 2,
            "path_length_interval": 3,
            "ada_kimg": 0.01,
            "snapshot_every": 100,
            "precision": "fp32",
        }
        return TrainConfig(**{**values, **overrides})

    return build
