"""Saving and loading of networks and training states: safetensors and JSON, atomic, never pickle.

A model folder (a snapshot, for use) holds the averaged generator and the discriminator; a checkpoint (for
resume) holds everything a training needs to go on as if it had never stopped.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engines.errors import ModelError
from engines.files import atomic_folder, sha256_file
from engines.manifest import STATE_FILE, ModelInfo, write_model_info

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Everything a training needs to go on: tensors by group ("g", "d", "opt_g", ...) and plain values."""

    groups: Mapping[str, Tensors]
    values: Mapping[str, Any]


def save_tensors(path: Path, tensors: Tensors) -> None:
    """Write tensors as safetensors in the order of their names: equal content gives equal bytes."""
    save_file({name: tensors[name].detach().contiguous() for name in sorted(tensors)}, path)
    path.chmod(0o644)  # save_file leaves it readable for its owner alone


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors as float32. Raises ModelError where the file is missing or damaged."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Get the model again.") from error
    return {name: tensor.float() for name, tensor in tensors.items()}


def write_model(folder: Path, info: ModelInfo, networks: Mapping[str, Tensors]) -> ModelInfo:
    """Write networks (file name -> tensors) and model.json; returns `info` with the files' hashes."""
    for name, tensors in networks.items():
        save_tensors(folder / name, tensors)
    info = replace(info, files={name: sha256_file(folder / name) for name in networks})
    write_model_info(folder, info)
    return info


def save_checkpoint(folder: Path, step: int, checkpoint: Checkpoint) -> Path:
    """Write `folder`/<step>, complete or not at all, then drop older ones. Raises nothing but OSError."""
    target = folder / f"{step:06d}"
    with atomic_folder(target) as draft:
        for name, tensors in checkpoint.groups.items():
            save_tensors(draft / f"{name}.safetensors", tensors)
        hashes = {name: sha256_file(draft / f"{name}.safetensors") for name in checkpoint.groups}
        state = {"values": checkpoint.values, "groups": hashes}
        (draft / STATE_FILE).write_text(json.dumps(state, indent=2), encoding="utf-8")
    for older in folder.iterdir():
        if older != target:
            shutil.rmtree(older, ignore_errors=True)
    return target


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint in `folder` that is intact, or None."""
    if not folder.is_dir():
        return None
    candidates = sorted((path for path in folder.iterdir() if path.name.isdigit()), reverse=True)
    for candidate in candidates:
        checkpoint = _read_checkpoint(candidate)
        if checkpoint is not None:
            return checkpoint
    return None


def _read_checkpoint(folder: Path) -> Checkpoint | None:
    try:
        state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        for name, expected in state["groups"].items():
            if sha256_file(folder / f"{name}.safetensors") != expected:
                return None
        groups = {name: load_tensors(folder / f"{name}.safetensors") for name in state["groups"]}
    except (OSError, ValueError, KeyError, ModelError):
        return None
    return Checkpoint(groups, state["values"])


def all_finite(tensors: Tensors) -> bool:
    """Whether no tensor holds an infinity or a not-a-number."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
