"""What every installation has from the start: the common licences and the models that the studio ships."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

import catalog
import engines.starters
from accounts.models import User
from catalog.models import CatalogModel, Derivation, Licence, Source, Visibility
from catalog.services.publish import add_version, publish_version
from engines.manifest import MODEL_FILE

_DATA = Path(catalog.__file__).parent / "data"
LICENCES_FILE = _DATA / "licences.json"
# What people read about each starter, by the name of its folder.
CARDS_FILE = _DATA / "starters.json"
STARTERS_DIR = Path(engines.starters.__file__).parent

PUBLISHER_HANDLE = "atelier"
# Of a domain that can never exist: nobody receives mail for it.
PUBLISHER_EMAIL = "atelier@studio.invalid"


def seed_catalog() -> None:
    """Insert licences and shipped models that are missing and bring the others up to date. Safe to repeat."""
    seed_licences()
    seed_starters()


def seed_licences() -> None:
    """Insert the common licences and bring their terms up to date; an admin's own ones are left alone."""
    for values in json.loads(LICENCES_FILE.read_text("utf-8")):
        Licence.objects.update_or_create(slug=values.pop("slug"), defaults=values)


def ensure_publisher() -> User:
    """Return the account that publishes what the studio ships. Nobody can sign in to it."""
    publisher = User.objects.filter(handle=PUBLISHER_HANDLE).first()
    if publisher is None:
        publisher = User.objects.create_user(
            PUBLISHER_EMAIL, handle=PUBLISHER_HANDLE, display_name="Atelier", is_active=False
        )
    return publisher


def seed_starters(starters: Path = STARTERS_DIR) -> None:
    """Publish every model folder below `starters` that has a card; a changed one becomes a new version."""
    for name, card in json.loads(CARDS_FILE.read_text("utf-8")).items():
        if (starters / name / MODEL_FILE).is_file():
            seed_starter(starters / name, card)


@transaction.atomic
def seed_starter(folder: Path, card: dict[str, Any]) -> None:
    """Publish one shipped model for everybody, or bring what is said about it up to date.

    The card's keys: name, title, tagline, description, training_data, known_limits, attribution, licence and
    dataset (title and licence of what it was trained on; its hash is the one in model.json).
    """
    publisher = ensure_publisher()
    texts = {key: card[key] for key in ("title", "tagline", "description", "training_data", "known_limits")}
    licence = Licence.objects.get(slug=card["licence"])
    version_values: dict[str, Any] = {
        "folder": folder,
        "licence": licence,
        "attribution": card["attribution"],
        "parents": _parents(folder, card["dataset"]),
    }
    model = CatalogModel.objects.filter(owner=publisher, name=card["name"]).first()
    if model is None:
        publish_version(
            owner=publisher,
            name=card["name"],
            visibility=Visibility.PUBLIC,
            is_starter=True,
            **texts,
            **version_values,
        )
        return
    CatalogModel.objects.filter(pk=model.pk).update(**texts)
    add_version(model=model, **version_values)


def _parents(folder: Path, dataset: dict[str, Any]) -> list[tuple[Source, str]]:
    """Return the node of the pictures that a starter was trained on, as model.json names them."""
    lineage = json.loads((folder / MODEL_FILE).read_text("utf-8"))["lineage"]
    sha256 = next(entry["sha256"] for entry in lineage if entry["kind"] == Source.Kind.DATASET)
    source, _created = Source.objects.get_or_create(
        kind=Source.Kind.DATASET,
        sha256=sha256,
        label=dataset["title"],
        defaults={"licence_id": dataset["licence"]},
    )
    return [(source, Derivation.Role.DATASET)]
