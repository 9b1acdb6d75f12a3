"""Model folders for tests: complete, tiny, made without torch."""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from engines.stylegan.config import Architecture


def make_folder(folder: Path, *, seed: int = 0, resolution: int = 64, discriminator: bool = True) -> Path:
    """A model folder whose weights depend on `seed`: 16 learned numbers and a buffer of 4."""
    folder.mkdir(parents=True)
    numbers = np.random.default_rng(seed)
    weights = {
        "synthesis.b4.const": numbers.standard_normal((4, 4)).astype(np.float32),
        "synthesis.b4.conv1.noise_const": np.zeros((2, 2), np.float32),
    }
    save_file(weights, folder / "g_ema.safetensors")
    if discriminator:
        save_file({"b4.out.weight": numbers.standard_normal(3).astype(np.float32)}, folder / "d.safetensors")
    colour = tuple(int(value) for value in numbers.integers(0, 255, 3))
    Image.new("RGB", (70, 40), colour).save(folder / "grid.png")
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.safetensors")
    }
    manifest = {
        "format": 1,
        "family": "stylegan2",
        "resolution": resolution,
        "architecture": Architecture(resolution=resolution).as_dict(),
        "name": "test",
        "licence": "cc0-1.0",
        "lineage": [{"kind": "dataset", "sha256": f"{seed:064d}", "images": 300}],
        "files": files,
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def make_base_folder(folder: Path) -> Path:
    """A base of text to image as the catalog knows it, with a file in place of its weights."""
    folder.mkdir(parents=True)
    weights = folder / "weights.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, weights)
    manifest = {
        "format": 1,
        "family": "text-to-image",
        "kind": "starter",
        "resolution": 128,
        "fingerprint": "b" * 64,
        "parameters": {"transformer": 3},
        "memory_bytes": {"generate": 1000, "train": 1000},
        "files": {weights.name: hashlib.sha256(weights.read_bytes()).hexdigest()},
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder
