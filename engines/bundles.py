"""Bundles: a version of a model as one ZIP, to be run at home. Imports no torch.

A bundle holds `bundle.json` (what it is, by whom, under which licence, the SHA-256 of every file of the
model), the model's files below `model/`, and texts for people: README.txt, LICENSE.txt, ATTRIBUTION.txt.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from engines.archives import ArchiveLimits, open_archive, read_member, unpack
from engines.errors import ModelError
from engines.files import sha256_file
from engines.manifest import MODEL_FILE

BUNDLE_FORMAT = 1
BUNDLE_FILE = "bundle.json"
MODEL_FOLDER = "model"
README_FILE, LICENCE_FILE, ATTRIBUTION_FILE = "README.txt", "LICENSE.txt", "ATTRIBUTION.txt"
MAX_CARD_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class BundleCard:
    """The content of bundle.json. `licence` is an SPDX id or a name; `files` maps paths to SHA-256."""

    title: str
    family: str
    version_sha256: str
    files: Mapping[str, str]
    address: str = ""
    version: int = 1
    author: str = ""
    attribution: str = ""
    licence: str = ""
    licence_url: str = ""
    source_url: str = ""
    studio: str = ""
    lineage: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """The text of the file."""
        return json.dumps({"format": BUNDLE_FORMAT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"


def parse_card(text: bytes) -> BundleCard:
    """Read bundle.json. Raises ModelError where it is not one."""
    try:
        values = json.loads(text.decode("utf-8"))
        if values["format"] != BUNDLE_FORMAT:
            raise ModelError("This bundle is of a newer format. Get a newer version of the engines.")
        card = BundleCard(
            **{item.name: values[item.name] for item in fields(BundleCard) if item.name in values}
        )
        texts = [value for name, value in vars(card).items() if name not in {"files", "lineage", "version"}]
        valid = all(isinstance(text, str) for text in texts) and _is_hashes(card.files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{BUNDLE_FILE} cannot be read. Get the bundle again.") from error
    if not valid:
        raise ModelError(f"{BUNDLE_FILE} cannot be read. Get the bundle again.")
    return card


def read_card(source: Path) -> BundleCard:
    """Read the card of a bundle, a ZIP or a folder. Raises ModelError where there is none."""
    if source.is_dir():
        path = source / BUNDLE_FILE
        if not path.is_file() or path.stat().st_size > MAX_CARD_BYTES:
            raise ModelError(f"{source} is not a bundle: it has no {BUNDLE_FILE}.")
        return parse_card(path.read_bytes())
    with source.open("rb") as file, open_archive(file) as archive:
        return parse_card(read_member(archive, BUNDLE_FILE, max_bytes=MAX_CARD_BYTES))


def unpack_bundle(source: Path, target: Path, limits: ArchiveLimits | None = None) -> BundleCard:
    """Unpack the model of a bundle into the new folder `target`, every file compared with its SHA-256.

    Raises ModelError where something is missing, altered or not on the list.
    """
    card = read_card(source)
    unpack(source, target, limits, inside=MODEL_FOLDER)
    check_files(target, card)
    return card


def check_files(folder: Path, card: BundleCard) -> None:
    """Raise ModelError unless the model's folder holds exactly the files that the card lists."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    if MODEL_FILE not in found or found.keys() != card.files.keys():
        raise ModelError("This bundle does not hold the files that it lists. Get it again whole.")
    for name, path in found.items():
        if sha256_file(path) != card.files[name]:
            raise ModelError(f"{name} in this bundle was altered: its SHA-256 differs. Get the bundle again.")


@contextmanager
def opened_bundle(source: Path) -> Iterator[tuple[Path, BundleCard]]:
    """Yield the folder of a bundle's model and its card; a ZIP is unpacked for so long.

    Raises ModelError.
    """
    if source.is_dir():
        card = read_card(source)
        check_files(source / MODEL_FOLDER, card)
        yield source / MODEL_FOLDER, card
        return
    with tempfile.TemporaryDirectory(prefix="atelier-bundle-") as work:
        folder = Path(work) / MODEL_FOLDER
        yield folder, unpack_bundle(source, folder)


def is_bundle(source: Path) -> bool:
    """Whether a path looks like a bundle: a folder with its card, or a ZIP."""
    return (source / BUNDLE_FILE).is_file() if source.is_dir() else source.suffix.lower() == ".zip"


def _is_hashes(values: Any) -> bool:
    return isinstance(values, dict) and all(
        isinstance(value, str) and len(value) == 64 for value in values.values()
    )
