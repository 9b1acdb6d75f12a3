"""What every installation has from the start: the common licences and the models that the studio ships."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

import catalog
import engines.starters
from accounts.models import User
from catalog.models import Attribution, CatalogModel, Derivation, Licence, ModelFile, Source, Visibility
from catalog.services.publish import add_version, publish_version
from engines.manifest import GENERATOR_FILE, MODEL_FILE

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

    The card's keys: name, title, tagline, description, training_data, known_limits, attribution, licence,
    people (name, role and link of those behind it), dataset (title and licence of what it was trained on)
    and, where it went on from another model, starting_point (the same of that). Hashes come from model.json.
    """
    publisher = ensure_publisher()
    texts = {key: card[key] for key in ("title", "tagline", "description", "training_data", "known_limits")}
    licence = Licence.objects.get(slug=card["licence"])
    version_values: dict[str, Any] = {
        "folder": folder,
        "licence": licence,
        "attribution": card["attribution"],
        "parents": _parents(folder, card),
    }
    model = CatalogModel.objects.filter(owner=publisher, name=card["name"]).first()
    if model is None:
        model = publish_version(
            owner=publisher,
            name=card["name"],
            visibility=Visibility.PUBLIC,
            is_starter=True,
            **texts,
            **version_values,
        ).model
    else:
        CatalogModel.objects.filter(pk=model.pk).update(**texts)
        add_version(model=model, **version_values)
    model.attributions.all().delete()
    Attribution.objects.bulk_create(Attribution(model=model, **person) for person in card.get("people", []))


def _parents(folder: Path, card: dict[str, Any]) -> list[tuple[Source, str]]:
    """Return what model.json says that a starter was made from: pictures, perhaps another model."""
    lineage = json.loads((folder / MODEL_FILE).read_text("utf-8"))["lineage"]
    parents: list[tuple[Source, str]] = [
        (_source(Source.Kind.DATASET, lineage, card["dataset"]), Derivation.Role.DATASET)
    ]
    if any(entry["kind"] == Source.Kind.MODEL for entry in lineage):
        start = _source(Source.Kind.MODEL, lineage, card["starting_point"])
        parents.append((start, Derivation.Role.STARTING_POINT))
    return parents


def _source(kind: Source.Kind, lineage: list[dict[str, Any]], texts: dict[str, Any]) -> Source:
    """Return the node of another starter among the ancestors of this kind, else that of the nearest one.

    States in between, of a training that was done in stretches, are nothing that anybody could look at.
    """
    hashes = [entry["sha256"] for entry in lineage if entry["kind"] == kind]
    # An engine knows a model by its generator alone, the catalog by all its files.
    files = ModelFile.objects.filter(path=GENERATOR_FILE, sha256__in=hashes, version__model__is_starter=True)
    starter = files.select_related("version__source").first()
    if starter is not None:
        return starter.version.source
    source, _created = Source.objects.get_or_create(
        kind=kind,
        sha256=hashes[0],
        label=texts["title"],
        defaults={"licence_id": texts["licence"], "attribution": texts.get("attribution", "")},
    )
    return source
