"""model.json: what a model folder holds, how it was made and the SHA-256 of each of its files. No torch here.

A model folder is `model.json` with `g_ema.safetensors` (for use) and, to train on from it, `d.safetensors`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from engines.errors import ModelError
from engines.files import sha256_file

FORMAT = 1
MODEL_FILE = "model.json"
GENERATOR_FILE = "g_ema.safetensors"
DISCRIMINATOR_FILE = "d.safetensors"
STATE_FILE = "state.json"  # of a checkpoint: its last file by name, written and stored after the others
STYLEGAN2 = "stylegan2"
STYLEGAN3 = "stylegan3"
FAMILIES = frozenset({STYLEGAN2, STYLEGAN3})
# Families of the catalog that engines.diffusion runs: a diffusers folder, and what was trained on one.
TEXT_TO_IMAGE = "text-to-image"
LORA = "lora"


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The content of model.json.

    `lineage` lists what the model was made from, nearest first: dictionaries with `kind` ("model" or
    "dataset"), a `sha256` and, where known, `name`, `nimg` and `licence`.
    """

    family: str
    architecture: Mapping[str, int]
    name: str = ""
    step: int = 0
    nimg: int = 0  # training images seen since the networks were random, starting points included
    licence: str = ""
    lineage: tuple[Mapping[str, Any], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # file name -> SHA-256
    stats: Mapping[str, float] = field(default_factory=dict)

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return int(self.architecture["resolution"])

    @property
    def sha256(self) -> str:
        """The model's identity: the hash of its generator."""
        return self.files[GENERATOR_FILE]


def read_model_info(folder: Path) -> ModelInfo:
    """Read `folder`/model.json. Raises ModelError where it is missing or not one of ours."""
    try:
        values = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        known = {item.name for item in fields(ModelInfo)}
        info = ModelInfo(**{name: value for name, value in values.items() if name in known})
        valid = info.family in FAMILIES and info.resolution > 0 and GENERATOR_FILE in info.files
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{folder} is not a model folder: it has no readable {MODEL_FILE}.") from error
    if not valid:
        raise ModelError(f"{folder} holds a model that this version cannot read. Choose another one.")
    return info


def write_model_info(folder: Path, info: ModelInfo) -> None:
    """Write model.json. Meant for a folder that is not yet visible (`engines.files.atomic_folder`)."""
    values = {"format": FORMAT, "resolution": info.resolution, **asdict(info)}
    (folder / MODEL_FILE).write_text(
        json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def verify_files(folder: Path, info: ModelInfo) -> None:
    """Raise ModelError unless every file that model.json names is there with the content it names."""
    for name, expected in info.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ModelError(f"{folder} is incomplete: {name} is missing. Get the model again.")
        if sha256_file(path) != expected:
            raise ModelError(f"{path} is damaged: its content differs from model.json. Get the model again.")
