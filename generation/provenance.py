"""What is written into each picture about its making."""

from dataclasses import asdict
from typing import Any

from accounts.models import User
from catalog.lineage import credit_lines
from catalog.models import ModelVersion
from engines.diffusion.manifests import LORA_FILE
from engines.provenance import Provenance, Scalar
from generation.models import Generation


class Recorder:
    """Writes the records of one order of pictures; looks up the attributions once."""

    def __init__(self, *, owner: User, version: ModelVersion, truncation_psi: float) -> None:
        self._version = version
        self._truncation_psi = truncation_psi
        self._creator = owner.public_name
        self._credit = "; ".join(credit_lines(version.source))

    def record(self, *, seed: int, width: int, height: int) -> Provenance:
        """Return the record of one picture; its settings suffice to make the picture again."""
        version = self._version
        return Provenance(
            model=f"{version.model.address} v{version.number}",
            model_sha256=version.weights_sha256,
            settings={"Seed": seed, "Truncation": self._truncation_psi, "Size": f"{width}x{height}"},
            creator=self._creator,
            credit=self._credit,
            licence=version.licence.spdx_id or version.licence.name,
            licence_url=version.licence.url,
        )


class TextRecorder:
    """Writes the records of one order of pictures from a prompt, in the names that other tools use."""

    def __init__(self, order: Generation, *, base: ModelVersion, adapter: ModelVersion | None) -> None:
        self._order, self._base, self._adapter = order, base, adapter
        self._creator = order.owner.public_name
        models = [base] if adapter is None else [adapter, base]
        lines = [line for version in models for line in credit_lines(version.source)]
        self._credit = "; ".join(dict.fromkeys(lines))
        licences = dict.fromkeys(version.licence for version in models)
        self._licence = "; ".join(licence.spdx_id or licence.name for licence in licences)
        self._licence_url = next((licence.url for licence in licences if licence.url), "")

    def record(
        self, *, seed: int, width: int, height: int, steps: int, guidance: float, sampler: str
    ) -> Provenance:
        """Return the record of one picture; a gallery picture that it started from is named by its hash."""
        told = self._order.settings
        settings: dict[str, Scalar] = {
            "Steps": steps,
            "Sampler": sampler,
            "CFG scale": guidance,
            "Seed": seed,
            "Size": f"{width}x{height}",
        }
        if told["style_title"]:
            settings["Style"] = told["style_title"]
        if self._order.source_file:
            settings["Denoising strength"] = told["strength"]
            settings["Mode"] = self._order.kind
        if self._order.source_picture is not None:
            settings["Init image SHA-256"] = self._order.source_picture.sha256
        if self._adapter is not None:
            sha256 = str(self._adapter.manifest["files"][LORA_FILE])
            settings["Lora hashes"] = f'"{self._adapter.model.name}: {sha256[:12]}"'
            settings["Lora"] = f"{self._adapter.model.address} v{self._adapter.number}"
            settings["Lora SHA-256"] = sha256
            settings["Lora strength"] = told["adapter_strength"]
        return Provenance(
            model=f"{self._base.model.address} v{self._base.number}",
            model_sha256=self._base.weights_sha256,
            prompt=told["told"],
            negative_prompt=told["told_negative"],
            settings=settings,
            creator=self._creator,
            credit=self._credit,
            licence=self._licence,
            licence_url=self._licence_url,
        )


def to_json(record: Provenance) -> dict[str, Any]:
    """Return what a row keeps of a record."""
    return asdict(record)


def from_json(values: dict[str, Any]) -> Provenance:
    """Return the record that a row keeps."""
    return Provenance(**values)
