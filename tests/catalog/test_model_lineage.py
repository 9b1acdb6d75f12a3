"""The lineage of a model as a graph, with the sentence that each restriction comes from."""

import itertools
import re

import pytest
from django.urls import reverse

from catalog import lineage_graph
from catalog.lineage_graph import BOX_HEIGHT, BOX_WIDTH
from catalog.models import Derivation, Licence, Source
from tests.catalog.pages import wrong_methods_are_refused

START, MIX, DATA = Derivation.Role.STARTING_POINT, Derivation.Role.MIX_PARENT, Derivation.Role.DATASET


def url_of(version):
    return reverse("catalog:model_lineage", args=[version.model.owner.handle, version.model.name])


@pytest.fixture
def family(publish, owner, stranger):
    """A mix of two models that both come from one base, one of them trained on pictures under CC BY-NC."""
    pictures = Source.objects.create(
        kind=Source.Kind.DATASET, label="Secret prints", sha256="a" * 64, licence_id="cc-by-nc-4.0"
    )
    base = publish(
        stranger,
        "base",
        seed=51,
        licence=Licence.objects.get(slug="cc-by-4.0"),
        visibility="public",
        attribution="Base by Ann (CC BY 4.0)",
    )
    one = publish(owner, "one", seed=52, parents=[(base.source, START), (pictures, DATA)])
    two = publish(owner, "two", seed=53, parents=[(base.source, START)])
    return publish(
        owner, "mix", seed=54, parents=[(one.source, MIX), (two.source, MIX), (base.source, START)]
    )


def test_the_owner_reads_names_and_sentences(owner_client, family):
    page = owner_client.get(url_of(family)).text
    for told in (
        "Secret prints",
        "“Secret prints” and what is made with it may not be used commercially",
        "Whoever shares it names those behind “Base”",
        "Base by Ann (CC BY 4.0)",
        "Offering it for money",
        "Parent of a mix",
    ):
        assert told in page
    assert "style=" not in page


def test_everything_of_the_drawing_is_said_in_words(owner_client, family):
    page = owner_client.get(url_of(family)).text
    drawing = re.search(r"<svg class=\"line\".*?</svg>", page, re.DOTALL).group()
    assert 'aria-hidden="true"' in drawing
    for label in ("Mix", "One", "Two", "Base", "Secret prints"):
        assert label in drawing
        assert label in page.replace(drawing, "")


def test_every_edge_leads_down_and_no_boxes_meet(family, owner):
    graph = lineage_graph.draw(family, owner)
    assert len(graph.boxes) == 5
    assert len(graph.arrows) == 6
    for one, other in itertools.combinations(graph.boxes, 2):
        assert abs(one.x - other.x) >= BOX_WIDTH or abs(one.y - other.y) >= BOX_HEIGHT
    for arrow in graph.arrows:
        numbers = [int(number) for number in re.findall(r"\d+", arrow.path)]
        assert numbers[1] < numbers[-1]
    for box in graph.boxes:
        assert 0 <= box.x <= graph.width - BOX_WIDTH
        assert 0 <= box.y <= graph.height - BOX_HEIGHT


def test_a_stranger_reads_no_names_that_are_not_theirs(stranger_client, family, publish, owner):
    model = family.model
    model.visibility = "public"
    model.save(update_fields=["visibility"])
    page = stranger_client.get(url_of(family)).text
    assert "A private dataset" in page
    assert "A private model" in page
    assert "Secret prints" not in page
    assert ">Base<" in page


def test_conflicts_are_named(owner_client, publish, owner):
    alike = [
        publish(owner, slug[:8], seed=seed, licence=Licence.objects.get(slug=slug))
        for seed, slug in enumerate(("cc-by-sa-4.0", "cc-by-nc-sa-4.0"), 61)
    ]
    mix = publish(owner, "mix", seed=63, parents=[(parent.source, MIX) for parent in alike])
    assert "Nobody can do both." in owner_client.get(url_of(mix)).text


def test_a_model_made_from_nothing_known_has_a_page(owner_client, version):
    assert owner_client.get(url_of(version)).status_code == 200


def test_markup_in_a_label_stays_text(owner_client, publish, owner):
    evil = Source.objects.create(
        kind=Source.Kind.DATASET, label="<script>x</script>", sha256="a" * 64, licence_id="mit"
    )
    version = publish(owner, parents=[(evil, DATA)])
    assert "<script>x" not in owner_client.get(url_of(version)).text


def test_a_private_model_does_not_exist_for_others(client, stranger_client, version):
    for reader in (client, stranger_client):
        assert reader.get(url_of(version)).status_code == 404


def test_anybody_reads_that_of_a_public_model(client, public_version):
    assert client.get(url_of(public_version)).status_code == 200


def test_wrong_methods(owner_client, version):
    assert wrong_methods_are_refused(owner_client, url_of(version), {"get"})


def test_queries(owner_client, family, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        owner_client.get(url_of(family))
