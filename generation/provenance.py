"""What is written into each picture about its making."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from django.conf import settings

from catalog.models import ModelVersion
from catalog.terms import required_attribution, required_credits
from engines.diffusion.manifests import LORA_FILE
from engines.provenance import COMPOSITE, Provenance, Scalar
from generation.models import Generation

# Between several credits, and several licences, of one picture.
_AND = "; "


class Recorder:
    """Writes the records of one order of pictures; looks up the attributions once."""

    def __init__(self, order: Generation, *, version: ModelVersion) -> None:
        self._order, self._version = order, version
        self._creator = order.owner.public_name
        self._credit = _each_once(_parts(required_attribution(version)))

    def record(self, *, seed: int, width: int, height: int) -> Provenance:
        """Return the record of one picture; its settings suffice to make the picture again."""
        version = self._version
        return Provenance(
            model=f"{version.model.address} v{version.number}",
            model_sha256=version.weights_sha256,
            settings={"Seed": seed, "Truncation": self._order.truncation_psi, "Size": f"{width}x{height}"},
            creator=self._creator,
            credit=self._credit,
            licence=version.licence_in_force.spdx_id or version.licence_in_force.name,
            licence_url=version.licence_in_force.url,
            version_sha256=version.sha256,
            run=str(self._order.job_id),
            studio=settings.SITE_URL,
        )


class TextRecorder:
    """Writes the records of one order of pictures from a prompt, in the names that other tools use."""

    def __init__(self, order: Generation, *, base: ModelVersion, adapter: ModelVersion | None) -> None:
        self._order, self._base, self._adapter = order, base, adapter
        self._creator = order.owner.public_name
        owed = required_credits([base] if adapter is None else [adapter, base])
        credit = [part for lines, _licence in owed for part in _parts(lines)]
        in_force = [licence for _lines, licence in owed]
        licences = [licence.spdx_id or licence.name for licence in in_force]
        if order.source_picture is not None:  # what it owes to others, this one owes to them too
            earlier = from_json(order.source_picture.provenance)
            credit += earlier.credit.split(_AND)
            licences += earlier.licence.split(_AND)
        credit += order.settings.get("owed_credit", "").split(_AND)
        licences += order.settings.get("owed_licence", "").split(_AND)
        self._credit, self._licence = _each_once(credit), _each_once(licences)
        self._licence_url = next((licence.url for licence in in_force if licence.url), "")

    def record(
        self, *, seed: int, width: int, height: int, steps: int, guidance: float, sampler: str
    ) -> Provenance:
        """Return the record of one picture; a gallery picture that it started from is named by its hash."""
        told = self._order.settings
        values: dict[str, Scalar] = {
            "Steps": steps,
            "Sampler": sampler,
            "CFG scale": guidance,
            "Seed": seed,
            "Size": f"{width}x{height}",
        }
        if told["style_title"]:
            values["Style"] = told["style_title"]
        if self._order.source_file:
            values["Denoising strength"] = told["strength"]
            values["Mode"] = self._order.kind
        if self._order.source_picture is not None:
            values["Init image SHA-256"] = self._order.source_picture.sha256
        if self._adapter is not None:
            sha256 = str(self._adapter.manifest["files"][LORA_FILE])
            values["Lora hashes"] = f'"{self._adapter.model.name}: {sha256[:12]}"'
            values["Lora"] = f"{self._adapter.model.address} v{self._adapter.number}"
            values["Lora SHA-256"] = sha256
            values["Lora strength"] = told["adapter_strength"]
        return Provenance(
            model=f"{self._base.model.address} v{self._base.number}",
            model_sha256=self._base.weights_sha256,
            prompt=told["told"],
            negative_prompt=told["told_negative"],
            settings=values,
            creator=self._creator,
            credit=self._credit,
            licence=self._licence,
            licence_url=self._licence_url,
            version_sha256=self._base.sha256,
            run=str(self._order.job_id),
            studio=settings.SITE_URL,
            source_type=COMPOSITE if self._order.source_file else "",
        )


def record_of_larger(order: Generation, version: ModelVersion, *, width: int, height: int) -> Provenance:
    """Return the record of a larger copy; `version` is what made it larger.

    One of a gallery picture says what that one said, so that other tools find the settings that made it, and
    names it by its hash.
    """
    licence = version.licence_in_force
    credit = _parts(required_attribution(version))
    made_larger: dict[str, Scalar] = {
        "Postprocess upscale by": order.settings["factor"],
        "Postprocess upscaler": f"{version.model.address} v{version.number}",
        "Upscaler SHA-256": version.weights_sha256,
    }
    original = order.source_picture
    if original is None:
        earlier = Provenance(
            model=f"{version.model.address} v{version.number}",
            model_sha256=version.weights_sha256,
            settings={"Size": f"{width}x{height}"},
            version_sha256=version.sha256,
            source_type=COMPOSITE,
        )
    else:
        earlier = from_json(original.provenance)
        made_larger["Init image SHA-256"] = original.sha256
    return replace(
        earlier,
        settings={**earlier.settings, **made_larger},
        creator=order.owner.public_name,
        credit=_each_once([*earlier.credit.split(_AND), *credit]),
        licence=_each_once([*earlier.licence.split(_AND), licence.spdx_id or licence.name]),
        licence_url=earlier.licence_url or licence.url,
        run=str(order.job_id),
        studio=settings.SITE_URL,
        pixels_sha256="",
        key="",
        signature="",
    )


def _parts(lines: Iterable[str]) -> list[str]:
    """Those whom lines of credit name, one by one: several models often owe the same."""
    return [part for line in lines for part in line.split(_AND)]


def _each_once(parts: Iterable[str]) -> str:
    return _AND.join(dict.fromkeys(part for part in parts if part))


def to_json(record: Provenance) -> dict[str, Any]:
    """Return what a row keeps of a record."""
    return asdict(record)


def from_json(values: dict[str, Any]) -> Provenance:
    """Return the record that a row keeps."""
    return Provenance(**values)
