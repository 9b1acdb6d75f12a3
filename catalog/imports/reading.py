"""Looking at a brought file: what it is, by its content, and what it holds. Nothing of it is executed.

Whatever may cost much or hide something is read in a process of its own (`engines.isolation`).
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _

from catalog.imports.families import describe
from catalog.imports.found import Found, known_licence
from catalog.imports.limits import ImportLimits
from catalog.models import ModelImport
from engines.archives import file_infos, is_zip, open_archive, unpack
from engines.bundles import ATTRIBUTION_FILE, BUNDLE_FILE, LICENCE_FILE, README_FILE, unpack_bundle
from engines.diffusion.folders import INDEX_FILE
from engines.diffusion.lora_headers import describe_lora as describe_header
from engines.errors import ModelError
from engines.headers import looks_like_safetensors, read_strictly
from engines.manifest import LORA, MODEL_FILE, TEXT_TO_IMAGE
from engines.onnx.manifest import ONNX, WEIGHTS_FILE
from engines.stylegan.isolation import convert_isolated

Kind = ModelImport.Kind

# The file as it was brought, in the folder that waits for an answer.
BROUGHT_LORA = "brought.safetensors"
_PICKLE = b"\x80"
_PICKLE_SUFFIXES = {".pkl", ".pickle"}
_NVIDIA = "NVIDIA Source Code License (non-commercial)"


def look(source: Path, filename: str, target: Path, limits: ImportLimits) -> Found:
    """Tell what a file is and write what is to be kept of it into the new folder `target`.

    Raises ModelError with the reason, and what to do, for what is not taken.
    """
    kind = told_by_content(source, filename, limits)
    return _READERS[kind](source, filename, target, limits)


def told_by_content(source: Path, filename: str, limits: ImportLimits) -> str:
    """Return the `ModelImport.Kind` of a file. Raises ModelError for what none of them is."""
    with source.open("rb") as file:
        start = file.read(16)
        file.seek(0)
        if is_zip(file):
            with open_archive(file, limits.archive()) as archive:
                return _kind_of_zip({info.filename for info in file_infos(archive)})
    if looks_like_safetensors(source):
        return Kind.LORA
    if start.startswith(_PICKLE):
        if Path(filename).suffix.lower() not in _PICKLE_SUFFIXES:
            raise ModelError(
                _("This file is called %(name)s, but is a pickle. Only a .pkl of StyleGAN is taken.")
                % {"name": filename}
            )
        return Kind.STYLEGAN
    raise ModelError(
        _(
            "This is none of the files that can be brought: a StyleGAN2-ADA or StyleGAN3 .pkl, a LoRA as "
            ".safetensors, or a ZIP with a diffusers folder, with model.onnx and model.json, or a bundle."
        )
    )


def _kind_of_zip(names: set[str]) -> str:
    if BUNDLE_FILE in names:
        return Kind.BUNDLE
    if _folder_of(INDEX_FILE, names) is not None:
        return Kind.BASE
    if any(name.endswith(".onnx") for name in names):
        return Kind.ONNX
    if any(name.endswith("data.pkl") for name in names):
        raise ModelError(
            _("This is a PyTorch file (.pt, .ckpt), which holds code. Bring its weights as .safetensors.")
        )
    raise ModelError(
        _(
            "This ZIP holds no model that is known here. Pack a diffusers folder (with model_index.json), or "
            "model.onnx with model.json."
        )
    )


def _folder_of(name: str, names: set[str]) -> str | None:
    """Return the folder of a ZIP in which a file lies, "" for its top; None where it is in neither."""
    if name in names:
        return ""
    found = [path for path in names if path.count("/") == 1 and path.endswith(f"/{name}")]
    return found[0].partition("/")[0] if len(found) == 1 else None


def _zip_folder(source: Path, name: str, limits: ImportLimits) -> str:
    """Return the folder of a ZIP in which `name` lies. Raises ModelError where it is not there."""
    with source.open("rb") as file, open_archive(file, limits.archive()) as archive:
        found = _folder_of(name, {info.filename for info in file_infos(archive)})
    if found is None:
        raise ModelError(
            _("%(name)s is missing in this ZIP. Add it and bring the ZIP again.") % {"name": name}
        )
    return found


def _read_stylegan(source: Path, filename: str, target: Path, limits: ImportLimits) -> Found:
    title = Path(filename).stem
    conversion = convert_isolated(source, target, name=title[:60], confinement=limits.confinement())
    told = _NVIDIA if _is_nvidias(conversion.info.lineage) else ""
    found = describe(target, conversion.info.family, title=title)
    return replace(found, licence=known_licence(told), licence_told=told, notes=list(conversion.notes))


def _is_nvidias(lineage: tuple[Mapping[str, object], ...]) -> bool:
    """Whether code of NVIDIA's wrote the file: weights that were made with it are for non-commercial use."""
    return any(str(entry.get("source", "")).startswith("NVlabs/") for entry in lineage)


def _read_lora(source: Path, filename: str, target: Path, _limits: ImportLimits) -> Found:
    described = describe_header(read_strictly(source))
    target.mkdir(parents=True)
    shutil.copyfile(source, target / BROUGHT_LORA)
    return Found(
        kind=Kind.LORA,
        family=LORA,
        format=_("LoRA, rank %(rank)d") % {"rank": described.rank} if described.rank else "LoRA",
        parameters=described.parameters,
        title=described.title[:120] or Path(filename).stem[:120],
        author=described.author[:120],
        keyword=described.keyword[:60],
        base_kind=described.family,
        base_title=described.base[:120],
        base_fingerprint=described.base_sha256[:64],
        licence=known_licence(described.licence),
        licence_told=described.licence[:200],
    )


def _read_base(source: Path, filename: str, target: Path, limits: ImportLimits) -> Found:
    unpack(source, target, limits.archive(), inside=_zip_folder(source, INDEX_FILE, limits))
    return describe(target, TEXT_TO_IMAGE, title=Path(filename).stem)


def _read_onnx(source: Path, filename: str, target: Path, limits: ImportLimits) -> Found:
    unpack(source, target, limits.archive(), inside=_zip_folder(source, MODEL_FILE, limits))
    for name in (LICENCE_FILE, ATTRIBUTION_FILE, README_FILE):
        (target / name).unlink(missing_ok=True)
    present = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    if present != {WEIGHTS_FILE, MODEL_FILE}:
        raise ModelError(
            _("An ONNX model is a single file here: pack %(weights)s and %(manifest)s, and nothing else.")
            % {"weights": WEIGHTS_FILE, "manifest": MODEL_FILE}
        )
    return describe(target, ONNX, title=Path(filename).stem)


def _read_bundle(source: Path, filename: str, target: Path, limits: ImportLimits) -> Found:
    card = unpack_bundle(source, target, limits.archive())
    return replace(
        describe(target, card.family, title=card.title or Path(filename).stem),
        kind=Kind.BUNDLE,
        author=card.author[:120],
        source_url=card.source_url[:200] if card.source_url.startswith("https://") else "",
        licence=known_licence(card.licence),
        licence_told=card.licence[:200],
        attribution=card.attribution[:2000],
    )


# Each writes what is to be kept of a file into the new folder `target`. They raise ModelError.
_READERS: Mapping[str, Callable[[Path, str, Path, ImportLimits], Found]] = {
    Kind.STYLEGAN: _read_stylegan,
    Kind.LORA: _read_lora,
    Kind.BASE: _read_base,
    Kind.ONNX: _read_onnx,
    Kind.BUNDLE: _read_bundle,
}
