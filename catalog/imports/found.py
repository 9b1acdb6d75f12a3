"""What a look at a brought file found, as the row keeps it and the page shows it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from catalog.bases import KINDS
from catalog.models import Licence

# How licences are called in files that name none by its SPDX id.
_OTHER_NAMES = {
    "nvidia source code license": "nvidia-source-code-nc",
    "creativeml open rail": "creativeml-openrail-m",
    "openrail++": "openrail-plus-plus-m",
    "all rights reserved": "all-rights-reserved",
    "public domain": "cc0-1.0",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """The facts of a file. Texts are the file's own words: shown escaped, believed by nobody.

    Attributes:
        kind: a `ModelImport.Kind`.
        family: of the catalog's model that it becomes.
        format: what the page calls it.
        base_kind: of a LoRA, the kind of base it is for; "" where the file does not tell.
        base_fingerprint: of a LoRA, the base it names.
        licence: slug of the licence that the file states, "" where it states none that is known.
        licence_told: the file's words about it.
        type: the `CatalogModel.Type` that its inputs and outputs say.
        notes: sentences for its owner about what differs from the original.
    """

    kind: str
    family: str
    format: str
    resolution: int | None = None
    parameters: int | None = None
    title: str = ""
    author: str = ""
    source_url: str = ""
    keyword: str = ""
    base_kind: str = ""
    base_title: str = ""
    base_fingerprint: str = ""
    licence: str = ""
    licence_told: str = ""
    attribution: str = ""
    type: str = "generate"
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What the row keeps: texts in one line, without signs that cannot be shown (or stored)."""
        return {
            name: shown(value) if isinstance(value, str) else value for name, value in asdict(self).items()
        }

    @property
    def made_for(self) -> str:
        """The base that a LoRA names, else the kind of base it is for, in words."""
        return self.base_title or str(KINDS.get(self.base_kind, ""))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Found":
        """Read what a row keeps; what else stands there (files, hashes) is left out."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


def shown(text: str) -> str:
    """Return a text in one line, without signs that cannot be shown."""
    line = " ".join(text.split())
    return "".join(sign for sign in line if sign.isprintable())


def known_licence(told: str) -> str:
    """Return the slug of the licence that a file names, by slug, SPDX id or name; "" for an unknown one."""
    wanted = " ".join(told.split()).casefold()
    if not wanted:
        return ""
    for licence in Licence.objects.all():
        if wanted in {licence.slug.casefold(), licence.spdx_id.casefold(), licence.name.casefold()}:
            return licence.slug
    other = next((slug for name, slug in _OTHER_NAMES.items() if name in wanted), "")
    return other if Licence.objects.filter(slug=other).exists() else ""
