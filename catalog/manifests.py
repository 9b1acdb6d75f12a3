"""Reading a model folder: `model.json` with what the model is, safetensors with its weights."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _
from safetensors import SafetensorError, safe_open

from catalog.exceptions import BrokenModelError
from engines.manifest import GENERATOR_FILE, MODEL_FILE

# The pictures of the same seeds that a training writes with each snapshot.
SAMPLE_GRID = "grid.png"
# Tensors in a weights file that are not learned.
_BUFFERS = ("noise_const", "resample_filter", "w_avg")
_MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a model folder says about itself. `files` maps the name of each weights file to its SHA-256."""

    content: dict[str, Any]
    family: str
    resolution: int | None
    files: Mapping[str, str]
    parameters: int | None


def read_manifest(folder: Path) -> Manifest:
    """Read what `folder` holds, whatever its family. Raises BrokenModelError when it is no model folder."""
    try:
        if (folder / MODEL_FILE).stat().st_size > _MAX_MANIFEST_BYTES:
            raise BrokenModelError(_("The description of this model is too large. Export the model again."))
        content = json.loads((folder / MODEL_FILE).read_text("utf-8"))
        resolution = content.get("resolution")
        return Manifest(
            content=content,
            family=str(content["family"]),
            resolution=None if resolution is None else int(resolution),
            files={str(name): str(sha256) for name, sha256 in content["files"].items()},
            parameters=_parameters(content, folder / GENERATOR_FILE),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenModelError(_("This folder is not a complete model. Save the model again.")) from error


def _parameters(content: dict[str, Any], weights: Path) -> int | None:
    """What model.json counts by component, where it does; else what is in the weights file."""
    told = content.get("parameters")
    if told is None:
        return _count_parameters(weights)
    return sum(int(count) for count in told.values())


def _count_parameters(weights: Path) -> int | None:
    """Count the learned numbers of a weights file from its header alone; None without such a file."""
    if not weights.is_file():
        return None
    try:
        with safe_open(weights, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(_BUFFERS)]  # noqa: SIM118 - no mapping
            shapes: list[list[int]] = [file.get_slice(name).get_shape() for name in names]
        return sum(math.prod(shape) for shape in shapes)
    except SafetensorError as error:
        raise BrokenModelError(_("The weights of this model are damaged. Save the model again.")) from error


def folder_sha256(files: Mapping[str, str]) -> str:
    """Name a set of files by content: SHA-256 over the lines `sha256sum` prints for them, ordered by path.

    `files` maps each path to its SHA-256.
    """
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def check_declared(declared: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise BrokenModelError unless every declared file was found with the content it was declared with."""
    wrong = [name for name, sha256 in declared.items() if found.get(name) != sha256]
    if wrong:
        message = _("Files of this model are missing or damaged: %(names)s. Save the model again.")
        raise BrokenModelError(message % {"names": ", ".join(wrong)})
