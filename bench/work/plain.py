"""What is timed, for RQ's own workers too, which know nothing of Django."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

Model = dict[str, NDArray[np.float32]]

_SIDE = 1024


def nothing() -> None:
    """Do nothing: what is left is the overhead."""


def write_model(path: Path, *, seed: int, megabytes: int = 100) -> None:
    """Write a model of so many megabytes, and beside it the SHA-256 of the file."""
    rng = np.random.default_rng(seed)
    layers = megabytes * 10**6 // (4 * _SIDE**2)
    save_file({f"layer{n}": rng.random((_SIDE, _SIDE), dtype=np.float32) for n in range(layers)}, path)
    path.with_suffix(".sha256").write_text(_sha256(path))


def load_model(path: Path) -> Model:
    """Check a model file and load it, as the studio's engines do."""
    if _sha256(path) != path.with_suffix(".sha256").read_text():
        raise ValueError(f"{path} is damaged")
    return load_file(path)


def use_model(model: Model) -> float:
    """Do a little with a model."""
    return float((model["layer0"] @ np.ones(_SIDE, np.float32)).sum())


def load_and_use(path: str) -> float:
    """Do the whole of it, as a job of a worker that keeps nothing."""
    return use_model(load_model(Path(path)))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
