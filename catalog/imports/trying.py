"""The smoke test of what was brought, and the model folder that is published when it passes.

Loading and making pictures is done in a process of its own, with limits and without secrets.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import CatalogError
from catalog.files import materialise
from catalog.imports.found import Found
from catalog.imports.limits import ImportLimits
from catalog.imports.reading import BROUGHT_LORA
from catalog.models import Derivation, ModelImport, ModelVersion
from catalog.selectors import base_models
from catalog.services.publish import Parents
from engines.diffusion.manifests import LORA_FILE, LoraManifest, write_base_manifest, write_lora_manifest
from engines.errors import ModelError
from engines.isolation import call_isolated
from engines.manifest import FAMILIES, LORA, TEXT_TO_IMAGE
from engines.onnx.ports import Input
from engines.onnx.run import OnnxModel

# What an ONNX model is shown when it is tried: shapes and colours that every network can look at.
_TEST_PICTURE_SIDE = 128


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A model that passed: its folder, a sheet of pictures that it made or None, and what it stands on."""

    folder: Path
    sheet: Path | None
    parents: Parents = ()


def try_out(imported: ModelImport, folder: Path, work: Path, limits: ImportLimits) -> Tried:
    """Load what was brought and use it once. Raises ModelError or CatalogError with the reason."""
    found = Found.from_json(imported.found)
    sheet = work / "sheet.png"
    if found.family in FAMILIES:
        _call("engines.stylegan.trial.try_generator", {"folder": folder, "sheet": sheet}, work, limits)
        return Tried(folder=folder, sheet=sheet)
    if found.family == TEXT_TO_IMAGE:
        _call("engines.diffusion.trial.try_base", {"folder": folder, "sheet": sheet}, work, limits)
        write_base_manifest(folder)
        return Tried(folder=folder, sheet=sheet)
    if found.family == LORA:
        return _try_lora(imported, found, folder, sheet, limits)
    return Tried(folder=folder, sheet=_try_onnx(folder, sheet))


def chosen_base(imported: ModelImport) -> ModelVersion:
    """Return the base that was chosen for a LoRA. Raises CatalogError when it is not here any more."""
    base = base_models(imported.owner).filter(pk=imported.found.get("base")).first()
    if base is None:
        raise CatalogError(_("The base that you chose for this LoRA is gone. Import it again with another."))
    return base


def _try_lora(imported: ModelImport, found: Found, folder: Path, sheet: Path, limits: ImportLimits) -> Tried:
    base = chosen_base(imported)
    source = folder / (BROUGHT_LORA if (folder / BROUGHT_LORA).is_file() else LORA_FILE)
    made = sheet.parent / "lora"
    made.mkdir()
    licence = imported.licence
    arguments = {
        "base": materialise(base),
        "source": source,
        "target": made,
        "sheet": sheet,
        "prompt": found.keyword or imported.title,
        "info": {
            "title": imported.title,
            "author": imported.author,
            "licence": (licence.spdx_id or licence.name) if licence else "",
            "trigger_phrase": found.keyword,
            "base": base.model.title,
            "base_sha256": base.manifest["fingerprint"],
            "family": base.manifest["kind"],
        },
    }
    _call("engines.diffusion.trial.try_lora", arguments, sheet.parent, limits)
    write_lora_manifest(
        made,
        LoraManifest(
            kind=base.manifest["kind"],
            resolution=base.resolution or base.manifest["resolution"],
            base_fingerprint=base.manifest["fingerprint"],
            base_title=base.model.title,
            base_version=base.sha256,
            keyword=found.keyword,
            subject="",
            purpose="",
            name=imported.title,
            step=0,
        ),
    )
    return Tried(folder=made, sheet=sheet, parents=[(base.source, Derivation.Role.BASE)])


def _try_onnx(folder: Path, sheet: Path) -> Path | None:
    """Run an ONNX model once with the defaults of its inputs. Return a picture that it made, or None."""
    out = sheet.parent / "made"
    out.mkdir()
    with OnnxModel(folder) as model:
        values = {port.name: _test_value(port, sheet.parent) for port in model.manifest.inputs}
        result = model.run({name: value for name, value in values.items() if value is not None}, out=out)
        pictures = [port.name for port in model.manifest.outputs if port.kind == "image"]
    if not pictures:
        return None
    shutil.copyfile(out / result.outputs[pictures[0]]["file"], sheet)
    return sheet


def _test_value(port: Input, work: Path) -> Any:
    """A value for one input; None: it has a default."""
    if port.kind == "image":
        picture = work / "input.png"
        side = _TEST_PICTURE_SIDE
        Image.linear_gradient("L").resize((side, side)).convert("RGB").save(picture)
        return picture
    if port.default is not None:
        return None
    if port.kind == "text":
        return "a red cat"
    if port.kind == "category":
        return port.choices[0]
    low = 0.0 if port.min is None else port.min
    return [low] * port.length if port.kind == "vector" else low


def _call(function: str, arguments: Mapping[str, Any], work: Path, limits: ImportLimits) -> None:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}
    call_isolated(function, plain, workdir=work, confinement=limits.confinement())


def check_hashes(expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise ModelError unless the files that waited are those that were looked at (abuse case 29)."""
    if dict(expected) != dict(found):
        raise ModelError(
            _("The file was altered after it was looked at, so nothing was made of it. Import it again.")
        )
