"""What is written into each picture about its making."""

from dataclasses import asdict
from typing import Any

from accounts.models import User
from catalog.lineage import credit_lines
from catalog.models import ModelVersion
from engines.provenance import Provenance


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


def to_json(record: Provenance) -> dict[str, Any]:
    """Return what a row keeps of a record."""
    return asdict(record)


def from_json(values: dict[str, Any]) -> Provenance:
    """Return the record that a row keeps."""
    return Provenance(**values)
