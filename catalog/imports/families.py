"""What a model folder holds, by its family: judged by the readers of the engines, without torch."""

import json
from pathlib import Path

from django.utils.translation import gettext as _

from catalog.bases import KINDS
from catalog.imports.found import Found, known_licence
from catalog.manifests import check_declared, read_manifest
from catalog.models import CatalogModel, ModelImport
from engines.diffusion.folders import needed_files, read_base
from engines.diffusion.manifests import LORA_FILE, base_resolution, read_lora_manifest
from engines.errors import ModelError
from engines.files import sha256_file
from engines.headers import read_strictly
from engines.manifest import FAMILIES, LORA, MODEL_FILE, STYLEGAN3, TEXT_TO_IMAGE
from engines.onnx.manifest import ONNX, WEIGHTS_FILE, OnnxManifest, read_onnx_manifest
from engines.onnx.run import OnnxModel

Kind = ModelImport.Kind

MAX_RESOLUTION = 16_384
MAX_PARAMETERS = 1 << 40


def describe(folder: Path, family: str, *, title: str) -> Found:
    """Judge a model folder. Raises ModelError with the reason where it cannot be used."""
    describers = {
        **dict.fromkeys(FAMILIES, describe_generator),
        LORA: describe_lora,
        TEXT_TO_IMAGE: describe_base,
        ONNX: describe_onnx,
    }
    if family not in describers:
        raise ModelError(
            _("This file holds a model of the kind “%(family)s”, which cannot be used here.")
            % {"family": family[:40]}
        )
    for path in folder.rglob("*.safetensors"):
        read_strictly(path)
    try:
        _check_manifest(folder / MODEL_FILE)
        found = describers[family](folder, title=title)
    # What JSON of strangers leads to, where something stands in another's place.
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ModelError(_("The description in this file cannot be read. Get the model again.")) from error
    if not 0 < (found.resolution or 1) <= MAX_RESOLUTION or not 0 < (found.parameters or 1) < MAX_PARAMETERS:
        raise ModelError(_("This model describes itself with sizes that cannot be. Get the model again."))
    return found


def _check_manifest(path: Path) -> None:
    """Raise ValueError where model.json, if it is there, holds what a database cannot keep."""
    if path.is_file():
        text = json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")  # half of a surrogate pair is no sign
        if "\\u0000" in text:
            raise ValueError("a sign that cannot be kept")


def describe_generator(folder: Path, *, title: str) -> Found:
    """Judge a StyleGAN model folder. Raises ModelError and BrokenModelError."""
    manifest = read_manifest(folder)
    if manifest.family not in FAMILIES:
        raise ModelError(_("model.json names another family than the file. Get the model again."))
    check_declared(manifest.files, _hashes(folder))
    return Found(
        kind=Kind.STYLEGAN,
        family=manifest.family,
        format="StyleGAN3" if manifest.family == STYLEGAN3 else "StyleGAN2",
        resolution=manifest.resolution,
        parameters=manifest.parameters,
        title=title[:120],
    )


def describe_lora(folder: Path, *, title: str) -> Found:
    """Judge the folder of a LoRA that a studio made. Raises ModelError."""
    manifest = read_lora_manifest(folder)
    return Found(
        kind=Kind.LORA,
        family=LORA,
        format="LoRA",
        parameters=read_strictly(folder / LORA_FILE).parameters,
        title=title[:120],
        keyword=manifest.keyword[:60],
        base_kind=manifest.kind if manifest.kind in KINDS else "",
        base_title=manifest.base_title[:120],
        base_fingerprint=manifest.base_fingerprint[:64],
    )


def describe_base(folder: Path, *, title: str) -> Found:
    """Judge a base's folder and keep what is needed of it. Raises ModelError that names what does not fit."""
    info = read_base(folder)
    kept = set(needed_files(info))
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for path in folder.rglob("*.safetensors"):
        read_strictly(path)
    return Found(
        kind=Kind.BASE,
        family=TEXT_TO_IMAGE,
        format=str(KINDS[info.family]),
        resolution=base_resolution(info),
        parameters=sum(info.parameters.values()),
        title=title[:120],
        base_kind=info.family,
    )


def describe_onnx(folder: Path, *, title: str) -> Found:
    """Judge an ONNX folder: the manifest, the file's hash, and the graph in a process of its own.

    Raises ModelError with the reason.
    """
    manifest = read_onnx_manifest(folder)
    if sha256_file(folder / WEIGHTS_FILE) != manifest.files[WEIGHTS_FILE]:
        raise ModelError(
            _("%(weights)s has another SHA-256 than %(manifest)s says. Write the manifest anew.")
            % {"weights": WEIGHTS_FILE, "manifest": MODEL_FILE}
        )
    with OnnxModel(folder) as model:
        facts = model.load()
    told = {name: _text(manifest.content.get(name)) for name in ("name", "author", "licence", "source")}
    return Found(
        kind=Kind.ONNX,
        family=ONNX,
        format=_("ONNX, opset %(opset)s") % {"opset": facts["opset"]},
        parameters=facts["parameters"],
        title=told["name"][:120] or title[:120],
        author=told["author"][:120],
        source_url=told["source"][:200] if told["source"].startswith("https://") else "",
        licence=known_licence(told["licence"]),
        licence_told=told["licence"][:200],
        type=type_of(manifest),
    )


def type_of(manifest: OnnxManifest) -> str:
    """Which of the three types a model is, by what it takes and gives."""
    takes = {port.kind for port in manifest.inputs}
    gives = {port.kind for port in manifest.outputs}
    if "image" not in gives:
        return CatalogModel.Type.EXTRACT
    return CatalogModel.Type.TRANSFORM if "image" in takes else CatalogModel.Type.GENERATE


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in folder.iterdir() if path.is_file()}
