"""What every installation has from the start."""

import json
import shutil

import pytest

from accounts.models import User
from catalog.licences import TITLES
from catalog.models import CatalogModel, Licence, ModelVersion, Source
from catalog.selectors import base_models, starting_points
from catalog.services import seed_catalog
from catalog.services.seed import (
    CARDS_FILE,
    STARTERS_DIR,
    seed_base,
    seed_licences,
    seed_starter,
    seed_starters,
)
from catalog.terms import required_attribution
from tests.catalog.bases import tiny_base_folder
from tests.catalog.folders import make_folder


@pytest.fixture
def starters(tmp_path):
    """A folder of starters with one in it, under a name that has a card."""
    return make_folder(tmp_path / "starters" / "flowers64").parent


def test_repeating_changes_nothing(db):
    seed_catalog()
    before = (Licence.objects.count(), CatalogModel.objects.count(), ModelVersion.objects.count())
    seed_catalog()
    after = (Licence.objects.count(), CatalogModel.objects.count(), ModelVersion.objects.count())
    assert before == after


def test_licences_are_the_promised_ones(licences):
    assert set(Licence.objects.values_list("slug", flat=True)) == {
        "all-rights-reserved",
        "apache-2.0",
        "bigscience-openrail-m",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc-by-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "creativeml-openrail-m",
        "custom",
        "mit",
        "nvidia-source-code-nc",
        "openrail-plus-plus-m",
        "own-work",
    }


def test_every_term_has_a_title(licences):
    for licence in Licence.objects.all():
        lists = (licence.permissions, licence.conditions, licence.limitations, licence.use_restrictions)
        assert {term for terms in lists for term in terms} <= TITLES.keys(), licence
        assert licence.summary


def test_licences_do_not_contradict_themselves(licences):
    for licence in Licence.objects.all():
        assert not set(licence.permissions) & set(licence.limitations), licence
        assert ("commercial-use" in licence.permissions) == licence.outputs_commercial, licence
        assert ("modifications" in licence.permissions) == licence.derivatives, licence
        assert ("same-license" in licence.conditions) == licence.share_alike, licence
        assert ("include-copyright" in licence.conditions) == licence.attribution_required, licence


def test_admins_own_licence_is_left_alone(licences):
    Licence.objects.create(slug="house", name="House rules")
    seed_licences()
    assert Licence.objects.get(slug="house").name == "House rules"


def test_starter_is_published_for_everybody(licences, starters, stranger):
    seed_starters(starters)
    version = starting_points(stranger).get()
    model = version.model
    assert model.address == "atelier/drawn-flowers"
    assert (model.visibility, model.is_starter) == ("public", True)
    assert "one style of drawing" in model.known_limits
    assert version.licence_id == "apache-2.0"
    parent = version.source.parents.get()
    assert (parent.kind, parent.label) == (Source.Kind.DATASET, "Drawn flowers, 4,000 pictures")


def test_starter_names_whose_pictures_it_learned_from_and_what_it_started_from(licences, tmp_path, client):
    start = make_folder(tmp_path / "flowers64", seed=1)
    folder = make_folder(tmp_path / "people64", seed=2)
    parent = {"kind": "model", "sha256": "f" * 64, "name": "flowers64", "licence": "CC0-1.0"}
    manifest = json.loads((folder / "model.json").read_text())
    manifest["lineage"].append(parent)
    (folder / "model.json").write_text(json.dumps(manifest))
    cards = json.loads(CARDS_FILE.read_text("utf-8"))
    seed_starter(start, cards["flowers64"])
    seed_starter(folder, cards["people64"])
    seed_starter(folder, cards["people64"])
    model = CatalogModel.objects.get(name="emoji-people")
    assert [person.name for person in model.attributions.all()] == ["Noto Emoji, Google LLC"]
    version = model.versions.get()
    source = version.source
    assert required_attribution(version) == ["Noto Emoji, Google LLC (Apache-2.0)"]
    assert {(edge.parent.kind, edge.parent.licence_id, edge.role) for edge in source.derived_from.all()} == {
        (Source.Kind.DATASET, "apache-2.0", "dataset"),
        (Source.Kind.MODEL, "apache-2.0", "starting_point"),
    }
    page = "".join(
        client.get(f"/catalog/atelier/emoji-people/{tab}").content.decode()
        for tab in ("", "lineage/", "attribution/", "license/")
    )
    assert "Emoji people, an earlier state" in page
    assert "A model that was deleted" not in page
    assert "https://github.com/googlefonts/noto-emoji" in page
    assert "Apache License 2.0" in page


def test_starting_point_that_is_a_starter_itself_is_linked(licences, tmp_path):
    people = make_folder(tmp_path / "people64", seed=1)
    landscapes = make_folder(tmp_path / "landscapes64", seed=2)
    cards = json.loads(CARDS_FILE.read_text("utf-8"))
    seed_starter(people, cards["people64"])
    version = ModelVersion.objects.get()
    generator = version.files.get(path="g_ema.safetensors")
    manifest = json.loads((landscapes / "model.json").read_text())
    # An earlier state of its own lies between them.
    for sha256 in ("e" * 64, generator.sha256):
        manifest["lineage"].append({"kind": "model", "sha256": sha256, "name": "people64"})
    (landscapes / "model.json").write_text(json.dumps(manifest))
    seed_starter(landscapes, cards["landscapes64"])
    edge = version.source.made_into.get()
    assert (edge.child.model_version.model.name, edge.role) == ("drawn-landscapes", "starting_point")


def test_starter_seeded_twice_is_one_version(licences, starters):
    seed_starters(starters)
    seed_starters(starters)
    assert ModelVersion.objects.count() == 1
    assert Source.objects.count() == 2


def test_retrained_starter_is_a_new_version_of_the_same_model(licences, starters, tmp_path):
    seed_starters(starters)
    shutil.rmtree(starters / "flowers64")
    make_folder(starters / "flowers64", seed=9)
    CatalogModel.objects.update(tagline="What it was called before")
    seed_starters(starters)
    model = CatalogModel.objects.get()
    assert model.versions.count() == 2
    assert "pencil" in model.tagline


def test_folder_without_weights_is_passed_over(licences, starters):
    (starters / "flowers64" / "model.json").unlink()
    seed_starters(starters)
    assert not CatalogModel.objects.exists()


def test_nobody_can_sign_in_as_the_publisher(licences, starters, client):
    seed_starters(starters)
    publisher = User.objects.get(handle="atelier")
    assert not publisher.is_active
    assert not publisher.has_usable_password()


def test_every_shipped_starter_is_published(db):
    """Whatever lies in the tree has its card and weights that are what model.json says; generators a grid."""
    seed_catalog()
    shipped = [path.parent.name for path in STARTERS_DIR.glob("*/model.json")]
    assert set(json.loads(CARDS_FILE.read_text("utf-8"))) == set(shipped)
    assert CatalogModel.objects.get(family="text-to-image").pictures.count() == 2
    versions = ModelVersion.objects.exclude(model__family="text-to-image")
    assert versions.count() == len(shipped)
    for version in versions:
        assert version.model.description
        is_generator = version.model.family == "stylegan2"
        assert version.files.filter(path="grid.png").exists() == is_generator


def test_the_shipped_base_is_published_once_and_brought_up_to_date(licences, stranger, tmp_path):
    seed_base(tmp_path)  # not shipped yet: nothing happens
    assert not base_models(stranger).exists()
    seed_base(tiny_base_folder())
    seed_base(tiny_base_folder())
    version = base_models(stranger).get()
    assert (version.model.address, version.model.is_starter, version.number) == ("atelier/starter", True, 1)
    assert {parent.licence_id for parent in version.source.parents.all()} == {
        "apache-2.0",
        "mit",
        "cc-by-4.0",
    }
    assert version.model.attributions.count() == 4
    seed_base(tiny_base_folder("flux"))
    assert base_models(stranger).get().number == 2


def test_licences_that_ask_for_their_text_come_with_it(licences):
    """MIT, BSD and Apache have to be passed on with their texts: bundles carry what stands here."""
    for slug, words in (
        ("apache-2.0", "TERMS AND CONDITIONS FOR USE"),
        ("cc0-1.0", "Statement of Purpose"),
        ("mit", "free of charge"),
        ("bsd-3-clause", "Redistribution"),
    ):
        assert words in Licence.objects.get(slug=slug).full_text
