"""What a training keeps on disk, so that it can be killed at any moment and go on.

A stage's state is one folder of safetensors files and a JSON file, written beside the old one and swapped
in by a rename; of two folders that a kill may leave, the complete one with the higher step counts. Never
pickle.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]

_JSON = "state.json"


def save_state(folder: Path, tensors: Mapping[str, Tensors], numbers: Mapping[str, Any]) -> None:
    """Write a complete state; a kill at any moment leaves the former or the new one whole.

    Args:
        folder: where the state lives.
        tensors: file stem to named tensors.
        numbers: anything JSON can hold; written last, so its presence means the rest is there.
    """
    fresh = folder.with_name(folder.name + ".new")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for stem, named in tensors.items():
        path = fresh / f"{stem}.safetensors"
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}, path)
        _sync(path)
    path = fresh / _JSON
    path.write_text(json.dumps(numbers), encoding="utf-8")
    _sync(path)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def load_state(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]] | None:
    """The last complete state of ``folder``, or None where there is none.

    A kill between the two renames leaves only ``.old`` and a complete ``.new``; the newer is taken.
    """
    for candidate in (folder, folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")):
        if (candidate / _JSON).exists():
            numbers = json.loads((candidate / _JSON).read_text(encoding="utf-8"))
            tensors = {path.stem: load_file(path) for path in sorted(candidate.glob("*.safetensors"))}
            return tensors, numbers
    return None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """An optimizer's per-parameter state as flat named tensors, ``"<index>.<name>"``."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put :func:`optimizer_tensors` back; learning rates stay as the optimizer was made with.

    Tensors take the memory layout of their parameters: fused optimizers walk both side by side in memory.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, saved in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        tensor = torch.empty_like(parameter).copy_(saved) if saved.shape == parameter.shape else saved
        state.setdefault(int(index), {})[name] = tensor.detach()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
