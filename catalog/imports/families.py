"""What a model folder holds, by its family: judged by the readers of the engines, without torch."""

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


def describe(folder: Path, family: str, *, title: str) -> Found:
    """Judge a model folder. Raises ModelError with the reason where it cannot be used."""
    for path in folder.rglob("*.safetensors"):
        read_strictly(path)
    if family in FAMILIES:
        return describe_generator(folder, title=title)
    if family == LORA:
        return describe_lora(folder, title=title)
    if family == TEXT_TO_IMAGE:
        return describe_base(folder, title=title)
    if family == ONNX:
        return describe_onnx(folder, title=title)
    raise ModelError(
        _("This file holds a model of the kind “%(family)s”, which cannot be used here.")
        % {"family": family[:40]}
    )


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
