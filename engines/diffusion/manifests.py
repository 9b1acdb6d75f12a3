"""model.json of text-to-image models: of a base, a diffusers folder, and of a LoRA. No torch here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from engines.diffusion.folders import BaseInfo, fingerprint, read_base, read_header
from engines.diffusion.words import WORDS_FILE
from engines.errors import ModelError
from engines.files import sha256_file
from engines.manifest import FORMAT, LORA, MODEL_FILE, TEXT_TO_IMAGE

LORA_FILE = "lora.safetensors"
KOHYA_FILE = "lora-kohya.safetensors"  # the same once more, in the names that other programs read
_SIDES: Mapping[str, int] = {"starter": 128, "flux": 1024}  # folders of these do not tell it


@dataclass(frozen=True, kw_only=True)
class LoraManifest:
    """What model.json says of a LoRA; `kind` is its base's family."""

    kind: str
    resolution: int
    base_fingerprint: str  # `folders.fingerprint`
    base_title: str
    base_version: str  # SHA-256 of the catalog's version; "" for what was made elsewhere
    keyword: str
    subject: str
    purpose: str
    name: str
    step: int


def base_resolution(info: BaseInfo) -> int:
    """The side of square pictures a base was trained on, in pixels, as `Base.resolution` tells it."""
    if info.family in _SIDES:
        return _SIDES[info.family]
    denoiser = info.configs["unet" if "unet" in info.configs else "transformer"]
    halvings = len(info.configs["vae"]["block_out_channels"]) - 1
    return int(denoiser["sample_size"]) << halvings


def write_base_manifest(folder: Path) -> dict[str, Any]:
    """Write model.json into a base's folder and return it; reads all files once.

    Raises ModelError that names every file that is missing or does not fit.
    """
    info = read_base(folder)
    values: dict[str, Any] = {
        "format": FORMAT,
        "family": TEXT_TO_IMAGE,
        "kind": info.family,
        "resolution": base_resolution(info),
        "fingerprint": fingerprint(folder),
        "parameters": dict(info.parameters),
        "memory_bytes": {
            "generate": info.memory_bytes(training=False),
            "train": info.memory_bytes(training=True),
        },
        "files": _hashes(folder),
    }
    if (folder / WORDS_FILE).is_file():
        values["words"] = WORDS_FILE
    return _write(folder, values)


def write_lora_manifest(folder: Path, manifest: LoraManifest) -> dict[str, Any]:
    """Write model.json beside `lora.safetensors`, and what else holds weights, and return it.

    Raises ModelError where it is missing.
    """
    shapes = read_header(folder / LORA_FILE)
    values = {
        "format": FORMAT,
        "family": LORA,
        "kind": manifest.kind,
        "resolution": manifest.resolution,
        "base": {
            "fingerprint": manifest.base_fingerprint,
            "title": manifest.base_title,
            "version_sha256": manifest.base_version,
        },
        "keyword": manifest.keyword,
        "subject": manifest.subject,
        "purpose": manifest.purpose,
        "name": manifest.name,
        "step": manifest.step,
        "parameters": {"lora": sum(prod(shape) for shape in shapes.values())},
        "files": {path.name: sha256_file(path) for path in sorted(folder.glob("*.safetensors"))},
    }
    return _write(folder, values)


def read_lora_manifest(folder: Path) -> LoraManifest:
    """Read what model.json says of a LoRA. Raises ModelError where it is missing or of another family."""
    try:
        values = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if values["family"] != LORA:
            raise ModelError(f"{folder} holds a {values['family']} model, not a trained one. Choose another.")
        base = values["base"]
        return LoraManifest(
            kind=str(values["kind"]),
            resolution=int(values["resolution"]),
            base_fingerprint=str(base["fingerprint"]),
            base_title=str(base["title"]),
            base_version=str(base["version_sha256"]),
            keyword=str(values["keyword"]),
            subject=str(values["subject"]),
            purpose=str(values["purpose"]),
            name=str(values["name"]),
            step=int(values["step"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{folder} is not a trained model: it has no readable {MODEL_FILE}.") from error


def _hashes(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MODEL_FILE)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}


def _write(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(values, indent=2, ensure_ascii=False)
    (folder / MODEL_FILE).write_text(f"{text}\n", encoding="utf-8")
    return values
