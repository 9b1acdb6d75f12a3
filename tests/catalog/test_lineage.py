"""What a model was made from, and who may read the names in it."""

import itertools

import pytest

from catalog.lineage import (
    MAX_DEPTH,
    ancestors,
    descendants,
    made_from,
    made_into,
    made_of_any,
    notices_of,
)
from catalog.models import CatalogModel, Derivation, Licence, Source, SourceNotice, Visibility
from catalog.services import delete_model
from catalog.terms import required_attribution

START, DATA = Derivation.Role.STARTING_POINT, Derivation.Role.DATASET


@pytest.fixture
def dataset(licences):
    return Source.objects.create(
        kind=Source.Kind.DATASET, label="Holiday pictures", sha256="a" * 64, licence_id="own-work"
    )


@pytest.fixture
def family(publish, owner, dataset):
    """The owner's `child` from a `parent` from a dataset."""
    parent = publish(owner, "parent", parents=[(dataset, DATA)])
    child = publish(owner, "child", seed=1, parents=[(parent.source, START), (dataset, DATA)])
    return parent, child


def test_ancestors_come_nearest_first_and_once(family, dataset, django_assert_num_queries):
    parent, child = family
    with django_assert_num_queries(2):
        found = ancestors(child.source)
        assert {(a.source.label, a.depth) for a in found} == {("Parent", 1), ("Holiday pictures", 1)}
    assert [a.depth for a in ancestors(parent.source)] == [1]


def test_each_node_is_followed_by_its_own_origins(publish, owner, dataset):
    one = publish(owner, "one", parents=[(dataset, DATA)])
    two = publish(owner, "two", seed=1)
    child = publish(owner, "child", seed=2, parents=[(one.source, START), (two.source, START)])
    entries = made_from(child.source, owner)
    assert [(entry.label, entry.depth) for entry in entries] == [
        ("One", 1),
        ("Holiday pictures", 2),
        ("Two", 1),
    ]


def test_own_names_are_shown_to_the_owner(family, owner):
    _parent, child = family
    entries = made_from(child.source, owner)
    assert {str(entry.label) for entry in entries} == {"Parent", "Holiday pictures"}
    assert {entry.model.name for entry in entries if entry.model} == {"parent"}


def test_private_names_are_hidden_from_others(family, stranger):
    _parent, child = family
    CatalogModel.objects.filter(name="child").update(visibility=Visibility.PUBLIC)
    entries = made_from(child.source, stranger)
    assert {str(entry.label) for entry in entries} == {"A private model", "A private dataset"}
    assert not any(entry.model for entry in entries)


def test_dataset_of_a_strangers_parent_stays_hidden(publish, owner, stranger, dataset):
    parent = publish(owner, "parent", parents=[(dataset, DATA)], visibility=Visibility.PUBLIC)
    child = publish(stranger, "child", seed=1, parents=[(parent.source, START)])
    assert [str(entry.label) for entry in made_from(child.source, stranger)] == [
        "Parent",
        "A private dataset",
    ]


def test_dataset_of_a_shipped_model_is_named(publish, owner, stranger, dataset):
    version = publish(owner, "s", parents=[(dataset, DATA)], is_starter=True, visibility=Visibility.PUBLIC)
    assert [entry.label for entry in made_from(version.source, stranger)] == ["Holiday pictures"]


def test_deleted_model_is_said_to_be_deleted(family, owner):
    parent, child = family
    delete_model(model=parent.model)
    assert "A model that was deleted" in {str(entry.label) for entry in made_from(child.source, owner)}


def test_made_into_names_only_visible_models(publish, owner, stranger):
    parent = publish(owner, "parent", visibility=Visibility.PUBLIC)
    publish(stranger, "secret", seed=1, parents=[(parent.source, START)])
    publish(owner, "own", seed=2, parents=[(parent.source, START)])
    assert [entry.label for entry in made_into(parent.source, owner)] == ["Own"]
    assert [entry.label for entry in made_into(parent.source, stranger)] == ["Secret"]


def test_credits_are_those_of_the_whole_line_each_once(publish, owner, dataset):
    parent = publish(owner, "parent", attribution="Parent by Ann")
    child = publish(owner, "child", seed=1, parents=[(parent.source, START)], attribution="Child by Ben")
    grandchild = publish(
        owner, "grand", seed=2, parents=[(child.source, START), (parent.source, Derivation.Role.MIX_PARENT)]
    )
    assert sorted(required_attribution(grandchild)) == ["Child by Ben", "Parent by Ann"]


def test_a_long_line_ends(db, licences):
    licence = Licence.objects.get(slug="mit")
    nodes = [
        Source.objects.create(kind="model", label=str(n), sha256="b" * 64, licence=licence)
        for n in range(MAX_DEPTH + 5)
    ]
    Derivation.objects.bulk_create(
        Derivation(child=child, parent=parent, role=START) for child, parent in itertools.pairwise(nodes)
    )
    assert len(ancestors(nodes[0])) == MAX_DEPTH


def test_descendants_come_nearest_first_and_once(family, publish, owner, dataset, django_assert_num_queries):
    parent, child = family
    apart = publish(owner, "apart", seed=7)
    with django_assert_num_queries(2):
        found = descendants([dataset.pk])
    assert [(one.source, one.depth, one.role) for one in found] == [
        (parent.source, 1, DATA),
        (child.source, 1, DATA),
    ]
    assert [one.source for one in descendants([parent.source.pk])] == [child.source]
    assert descendants([apart.source.pk]) == []


def test_a_notice_is_passed_down_the_line(family, dataset):
    parent, child = family
    for text in ("Withdrawn.", "Withdrawn.", "Something else."):
        SourceNotice.objects.create(source=dataset, text=text)
    SourceNotice.objects.create(source=child.source, text="Withdrawn.")
    assert [(one.text, one.count) for one in notices_of(parent.source)] == [
        ("Something else.", 1),
        ("Withdrawn.", 2),
    ]
    assert {one.text: one.count for one in notices_of(child.source)}["Withdrawn."] == 3
    assert len(notices_of(dataset)) == 2


def test_names_below_are_hidden_from_others(family, dataset, stranger):
    assert {str(entry.label) for entry in made_of_any([dataset.pk], stranger)} == {"A private model"}
