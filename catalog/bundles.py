"""Bundles: a version as one ZIP to be run at home, written while it is sent."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils.text import slugify

from catalog.files import weight_key
from catalog.lineage import ancestors
from catalog.models import ModelFile, ModelVersion
from catalog.terms import required_attribution
from engines.bundles import (
    ATTRIBUTION_FILE,
    BUNDLE_FILE,
    LICENCE_FILE,
    MODEL_FOLDER,
    README_FILE,
    BundleCard,
)
from engines.manifest import FAMILIES, LORA, TEXT_TO_IMAGE

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A version ready to be handed out: its small texts, and its files as they lie in storage."""

    version: ModelVersion
    texts: dict[str, str]
    files: list[ModelFile]

    @property
    def filename(self) -> str:
        """What the download is called."""
        return f"{slugify(self.version.model.name)}-v{self.version.number}.zip"

    @property
    def etag(self) -> str:
        """Another one whenever a byte of the bundle would be another."""
        digest = hashlib.sha256(self.version.sha256.encode())
        for name, text in sorted(self.texts.items()):
            digest.update(f"\0{name}\0{text}".encode())
        return f'"{digest.hexdigest()[:32]}"'

    def entries(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield names and contents; the weights are read from storage piece by piece."""
        for name, text in self.texts.items():
            yield name, [text.encode()]
        for file in self.files:
            yield f"{MODEL_FOLDER}/{file.path}", _pieces(file)


def bundle_of(version: ModelVersion) -> Bundle:
    """Put the bundle of a version together; the version comes with its model, owner, licence and source."""
    files = list(version.files.all())
    card = _card(version, files)
    texts = {
        BUNDLE_FILE: card.as_json(),
        README_FILE: _readme(version, card),
        LICENCE_FILE: _licence(version),
        ATTRIBUTION_FILE: _attribution(version),
    }
    return Bundle(version=version, texts=texts, files=files)


def command_line(version: ModelVersion, filename: str) -> str:
    """Return how a bundle is run at home."""
    family = version.model.family
    start = f"python -m engines run {filename}"
    if family in FAMILIES:
        return f"{start} --seeds 0-15 --out pictures"
    if family == TEXT_TO_IMAGE:
        return f'{start} --prompt "a red cat" --out pictures'
    if family == LORA:
        keyword = version.manifest.get("keyword") or version.model.title
        return f'{start} --base base.zip --prompt "{keyword}" --out pictures'
    return f"{start} --input {_inputs(version)} --out results"


def _inputs(version: ModelVersion) -> str:
    ports = version.manifest.get("inputs", [])
    return " ".join(f"{port['name']}={'picture.png' if port['kind'] == 'image' else '...'}" for port in ports)


def _card(version: ModelVersion, files: list[ModelFile]) -> BundleCard:
    model, licence = version.model, version.licence_in_force
    authors = [one.name for one in model.attributions.all()]
    return BundleCard(
        title=model.title,
        family=model.family,
        version_sha256=version.sha256,
        files={file.path: file.sha256 for file in files},
        address=model.address,
        version=version.number,
        author=", ".join(authors) or model.owner.public_name,
        attribution="\n".join(required_attribution(version)),
        licence=licence.spdx_id or licence.name,
        licence_url=licence.url,
        source_url=settings.SITE_URL + reverse("catalog:model_detail", args=[model.owner.handle, model.name]),
        studio=settings.SITE_URL,
        lineage=[f"{one.role} {one.source.sha256}" for one in ancestors(version.source)],
    )


def _readme(version: ModelVersion, card: BundleCard) -> str:
    """Ten lines: what it is, how it is run, what has to be observed."""
    lines = [
        f"{card.title}, version {card.version} ({card.address})",
        f"From {card.source_url}",
        f"SHA-256 of the version: {card.version_sha256}",
        "",
        "Run it on your own computer, without a server or an account (Python 3.11, the engines of Atelier):",
        f"    {command_line(version, bundle_name(version))}",
        "The model's files lie in model/; bundle.json lists the SHA-256 of each.",
        f"Licence: {card.licence}; its text is in {LICENCE_FILE}.",
        f"Who has to be named where you show what it makes: {ATTRIBUTION_FILE}.",
        f"Known limits: {' '.join(version.model.known_limits.split()) or 'none are written down.'}",
    ]
    return "\n".join(lines) + "\n"


def bundle_name(version: ModelVersion) -> str:
    """The bundle's file name."""
    return Bundle(version=version, texts={}, files=[]).filename


def _licence(version: ModelVersion) -> str:
    licence = version.licence_in_force
    head = [licence.name, licence.url, "", licence.full_text or licence.summary]
    return "\n".join(head).strip() + "\n"


def _attribution(version: ModelVersion) -> str:
    named = [
        f"{one.name}: {one.role}{f' ({one.link})' if one.link else ''}"
        for one in version.model.attributions.all()
    ]
    lines = list(dict.fromkeys([*required_attribution(version), *named]))
    return "\n".join(lines or ["Nobody has to be named."]) + "\n"


def _pieces(file: ModelFile) -> Iterator[bytes]:
    with default_storage.open(weight_key(file.sha256)) as stored:
        while piece := stored.read(_PIECE):
            yield piece
