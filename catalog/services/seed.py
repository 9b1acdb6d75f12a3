"""What every installation has from the start: the common licences and the models that the studio ships."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

import catalog
import engines.starters
from accounts.models import User
from catalog.models import Attribution, CatalogModel, Derivation, Licence, ModelFile, Source, Visibility
from catalog.services.bases import add_base_version, publish_base
from catalog.services.licences import refresh_outputs_commercial
from catalog.services.pages import add_picture
from catalog.services.publish import add_version, publish_version
from engines.diffusion.folders import INDEX_FILE
from engines.manifest import GENERATOR_FILE, MODEL_FILE

_DATA = Path(catalog.__file__).parent / "data"
LICENCES_FILE = _DATA / "licences.json"
# Long texts, named by their licence's slug; short ones stand in the file above.
LICENCE_TEXTS = _DATA / "licences"
# What people read about each starter, by the name of its folder.
CARDS_FILE = _DATA / "starters.json"
STARTERS_DIR = Path(engines.starters.__file__).parent
# Pictures of those that make none of their own accord.
PICTURES_DIR = _DATA / "pictures"
# What people read about the shipped base of text to image, and where it lies once it is shipped.
BASE_CARD_FILE = _DATA / "base.json"
BASE_DIR = STARTERS_DIR / "text_to_image" / "base"

_TEXTS = ("title", "tagline", "description", "training_data", "known_limits")

PUBLISHER_HANDLE = "atelier"
# Of a domain that can never exist: nobody receives mail for it.
PUBLISHER_EMAIL = "atelier@studio.invalid"


def seed_catalog() -> None:
    """Insert licences and shipped models that are missing and bring the others up to date. Safe to repeat."""
    seed_licences()
    seed_starters()
    seed_base()
    refresh_outputs_commercial()


def seed_licences() -> None:
    """Insert the common licences and bring their terms up to date; an admin's own ones are left alone."""
    for values in json.loads(LICENCES_FILE.read_text("utf-8")):
        slug = values.pop("slug")
        text = LICENCE_TEXTS / f"{slug}.txt"
        if text.is_file():
            values["full_text"] = text.read_text("utf-8")
        Licence.objects.update_or_create(slug=slug, defaults=values)


def common_licences() -> frozenset[str]:
    """Return the names of the licences that `seed_licences` writes anew."""
    return frozenset(values["slug"] for values in json.loads(LICENCES_FILE.read_text("utf-8")))


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
def seed_base(folder: Path = BASE_DIR) -> None:
    """Publish the shipped base of text to image, where it is there, or bring it up to date."""
    if not (folder / INDEX_FILE).is_file():
        return
    publisher, card = ensure_publisher(), json.loads(BASE_CARD_FILE.read_text("utf-8"))
    texts = {key: card[key] for key in _TEXTS}
    licence = Licence.objects.get(slug=card["licence"])
    parents = [(_dataset(values), Derivation.Role.DATASET) for values in card["datasets"]]
    version_values: dict[str, Any] = {
        "folder": folder,
        "licence": licence,
        "attribution": card["attribution"],
        "parents": parents,
    }
    model = CatalogModel.objects.filter(owner=publisher, name=card["name"]).first()
    if model is None:
        model = publish_base(
            owner=publisher,
            name=card["name"],
            visibility=Visibility.PUBLIC,
            is_starter=True,
            **texts,
            **version_values,
        ).model
    else:
        CatalogModel.objects.filter(pk=model.pk).update(**texts)
        add_base_version(model=model, **version_values)
    _name_people(model, card)
    _show_pictures(model, card)


def _dataset(values: dict[str, Any]) -> Source:
    """The node of pictures that a base learnt from; it is not known by a hash."""
    source, _created = Source.objects.get_or_create(
        kind=Source.Kind.DATASET,
        sha256="",
        label=values["title"],
        defaults={"licence_id": values["licence"], "attribution": values["attribution"]},
    )
    return source


def _name_people(model: CatalogModel, card: dict[str, Any]) -> None:
    model.attributions.all().delete()
    Attribution.objects.bulk_create(Attribution(model=model, **person) for person in card.get("people", []))


@transaction.atomic
def seed_starter(folder: Path, card: dict[str, Any]) -> None:
    """Publish one shipped model for everybody, or bring what is said about it up to date.

    The card's keys: name, title, tagline, description, training_data, known_limits, attribution, licence,
    people (name, role and link of those behind it), dataset (title and licence of what it was trained on; or
    a list of them, datasets) and, where it went on from another model, starting_point (the same of that);
    type where it is no generator; pictures (file and caption) for its page. Hashes come from model.json.
    """
    publisher = ensure_publisher()
    texts = {key: card[key] for key in _TEXTS}
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
            type=card.get("type", CatalogModel.Type.GENERATE),
            visibility=Visibility.PUBLIC,
            is_starter=True,
            **texts,
            **version_values,
        ).model
    else:
        CatalogModel.objects.filter(pk=model.pk).update(**texts)
        add_version(model=model, **version_values)
    _name_people(model, card)
    _show_pictures(model, card)


def _show_pictures(model: CatalogModel, card: dict[str, Any]) -> None:
    """Put a shipped model's pictures on its page, unless there are some already."""
    if model.pictures.exists():
        return
    for picture in card.get("pictures", []):
        with (PICTURES_DIR / picture["file"]).open("rb") as file:
            add_picture(model=model, file=file, caption=picture["caption"])


def _parents(folder: Path, card: dict[str, Any]) -> list[tuple[Source, str]]:
    """Return what model.json says that a starter was made from: pictures, perhaps another model."""
    if "datasets" in card:
        return [(_dataset(values), Derivation.Role.DATASET) for values in card["datasets"]]
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
