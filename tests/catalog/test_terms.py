"""Terms of a whole line: more origins never allow more, in any order, however often one is met."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.licences import OWNER_ONLY
from catalog.models import Derivation, Licence, LicenceGrant, Source
from catalog.services.seed import LICENCES_FILE
from catalog.terms import (
    Action,
    LicenceTerms,
    Origin,
    combine,
    effective_terms,
    forbids,
    refusal,
    required_attribution,
)

SEEDED = {
    values["slug"]: LicenceTerms.of(Licence(**values))
    for values in json.loads(LICENCES_FILE.read_text("utf-8"))
}
WORDS = ["commercial-use", "modifications", "distribution", "private-use", "patent-use", "include-copyright"]

# A busy machine is no fault of the terms.
unhurried = settings(deadline=None)

some_words = st.frozensets(st.sampled_from(WORDS))
any_licence = st.one_of(
    st.sampled_from(list(SEEDED.values())),
    st.builds(
        LicenceTerms,
        slug=st.sampled_from(["house", "club", "guild"]),
        name=st.just("House rules"),
        permissions=some_words,
        conditions=some_words,
        limitations=some_words,
        use_restrictions=st.frozensets(st.sampled_from([OWNER_ONLY, "medical-advice"])),
        outputs_commercial=st.booleans(),
        derivatives=st.booleans(),
        share_alike=st.booleans(),
        attribution_required=st.booleans(),
    ),
)
# Origins that are told apart by their key have one set of terms for each, as rows do.
lines = st.lists(
    st.builds(
        Origin,
        key=st.uuids().map(str),
        label=st.sampled_from(["Faces", "Cats", "Hills"]),
        licence=any_licence,
        attribution=st.sampled_from(["", "By Ann", "By Ben"]),
        depth=st.integers(0, 4),
        states_terms=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def node(licence: str, label: str = "Faces", depth: int = 1, **values) -> Origin:
    return Origin(key=label, label=label, licence=SEEDED[licence], depth=depth, **values)


def own(licence: str, **values) -> Origin:
    return node(licence, "This model", 0, **values)


# What its holder has not shared yet, as its holder sees it.
UNSHARED = replace(
    own("own-work", states_terms=False), licence=replace(SEEDED["own-work"], use_restrictions=frozenset())
)


@unhurried
@given(lines, lines)
def test_a_further_origin_never_allows_more(line, more):
    before, after = combine(line), combine(line + more)
    assert after.permissions <= before.permissions
    assert after.conditions >= before.conditions
    assert after.limitations >= before.limitations
    assert after.use_restrictions >= before.use_restrictions
    assert set(after.attributions) >= set(before.attributions)
    assert {one.key for one in after.conflicts} >= {one.key for one in before.conflicts}
    assert set(after.restrictions) >= set(before.restrictions)
    for flag in ("outputs_commercial", "derivatives"):
        assert getattr(before, flag) or not getattr(after, flag)
    for flag in ("share_alike", "attribution_required"):
        assert getattr(after, flag) or not getattr(before, flag)
    for action in Action:
        assert forbids(before, action) is None or forbids(after, action) is not None


@unhurried
@given(lines.flatmap(lambda line: st.tuples(st.just(line), st.permutations(line))))
def test_the_order_does_not_matter(pair):
    line, shuffled = pair
    assert combine(line) == combine(shuffled)


@unhurried
@given(lines, st.data())
def test_meeting_an_origin_again_changes_nothing(line, data):
    again = data.draw(st.lists(st.sampled_from(line)))
    farther = [replace(origin, depth=origin.depth + 1) for origin in again]
    assert combine(line + again + farther) == combine(line)


@unhurried
@given(lines)
def test_what_is_limited_is_not_permitted(line):
    terms = combine(line)
    assert not terms.permissions & terms.limitations


def test_a_line_has_at_least_the_thing_itself():
    with pytest.raises(ValueError, match="the thing itself"):
        combine([])


def test_permissions_are_what_all_give():
    terms = combine([own("cc-by-4.0"), node("apache-2.0"), node("cc-by-nc-4.0", "Cats")])
    assert terms.permissions == {"modifications", "distribution", "private-use"}
    assert not terms.outputs_commercial
    assert terms.attribution_required


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ([own("mit"), node("apache-2.0"), node("cc0-1.0", "Cats")], []),
        ([own("cc-by-sa-4.0"), node("cc-by-sa-4.0")], []),
        ([own("cc-by-sa-4.0"), node("cc-by-nc-sa-4.0")], ["same-license", "commercial-use"]),
        ([own("cc-by-sa-4.0"), node("cc-by-sa-4.0"), node("cc-by-nc-sa-4.0", "Cats")],
         ["same-license", "commercial-use"]),
        ([own("mit"), node("cc-by-sa-4.0")], ["same-license"]),
        ([own("cc-by-nc-4.0"), node("cc-by-nd-4.0")], ["no-derivatives"]),
        ([own("cc0-1.0"), node("cc-by-nc-4.0")], ["commercial-use"]),
        ([own("cc-by-nc-4.0"), node("nvidia-source-code-nc")], []),
        ([own("mit"), node("all-rights-reserved")], ["no-derivatives", "commercial-use", "distribution"]),
        # One's own unshared work promises nothing to anybody.
        ([UNSHARED, node("cc-by-nc-4.0")], []),
        ([UNSHARED, node("cc-by-sa-4.0"), node("cc-by-nc-sa-4.0", "Cats")],
         ["same-license"]),
    ],
)  # fmt: skip
def test_conflicts_are_named(line, kinds):
    found = combine(line).conflicts
    assert [one.key[0] for one in found] == kinds
    for conflict in found:
        assert "“" in conflict.sentence


@pytest.mark.parametrize("slug", sorted(SEEDED))
def test_what_a_licence_alone_forbids(slug):
    """One origin above says exactly what its own terms say."""
    licence = SEEDED[slug]
    terms = combine([UNSHARED, node(slug)])
    is_kept = OWNER_ONLY in licence.use_restrictions
    assert (forbids(terms, Action.DERIVE) is None) == (licence.derivatives and not is_kept)
    assert (forbids(terms, Action.SELL) is None) == ("commercial-use" in licence.permissions and not is_kept)
    if "distribution" not in licence.permissions:
        assert forbids(terms, Action.SHARE)


def test_the_nearest_origin_is_named():
    line = [own("cc-by-nc-4.0"), node("cc-by-nd-4.0", "Far", 3), node("cc-by-nc-nd-4.0", "Near", 1)]
    assert "“Near”" in forbids(combine(line), Action.DERIVE)


# Along the lines of the database


@pytest.fixture
def family(publish, owner):
    """A base under one licence, and what its holder made from it."""

    def make(licence: str, child: str = "own-work", *, holder=owner, child_holder=owner):
        parent = publish(holder, "base", seed=31, licence=Licence.objects.get(slug=licence))
        return publish(
            child_holder,
            "child",
            seed=32,
            licence=Licence.objects.get(slug=child),
            parents=[(parent.source, Derivation.Role.STARTING_POINT)],
        )

    return make


def test_reading_a_line_takes_three_queries(family, owner, django_assert_num_queries):
    child = family("cc-by-nc-4.0")
    with django_assert_num_queries(3):
        terms = effective_terms(child, viewer=owner)
    assert not terms.outputs_commercial


def test_the_holder_decides_about_own_work(family, owner, stranger):
    child = family("own-work")
    for action in Action:
        assert refusal(child, action, actor=owner) is None
        assert "owner only" in refusal(child, action, actor=stranger)
        assert refusal(child, action)


def test_what_another_keeps_back_stays_so(family, owner, stranger):
    child = family("own-work", holder=stranger)
    assert "“A private model” is for its owner only" in refusal(child, Action.SHARE, actor=owner)


def test_a_grant_replaces_what_the_version_came_with(family, owner, stranger):
    child = family("own-work")
    LicenceGrant.objects.create(source=child.source, licence_id="cc-by-nc-4.0")
    assert refusal(child, Action.DERIVE, actor=stranger) is None
    assert "CC" not in refusal(child, Action.SELL, actor=stranger).split("(")[0]
    assert "NonCommercial" in refusal(child, Action.SELL, actor=stranger)
    LicenceGrant.objects.create(source=child.source, licence_id="mit")
    assert refusal(child, Action.SELL, actor=stranger) is None


def test_a_licence_can_be_tried_before_it_is_given(family, owner):
    child = family("cc-by-nc-4.0")
    mit, nc = Licence.objects.get(slug="mit"), Licence.objects.get(slug="cc-by-nc-4.0")
    assert "MIT License would allow commercial use" in refusal(child, Action.SHARE, actor=owner, licence=mit)
    assert refusal(child, Action.SHARE, actor=owner, licence=nc) is None


def test_a_dataset_counts(publish, owner):
    pictures = Source.objects.create(
        kind=Source.Kind.DATASET, label="Prints", sha256="a" * 64, licence_id="cc-by-nc-4.0"
    )
    version = publish(owner, parents=[(pictures, Derivation.Role.DATASET)])
    assert "“Prints”" in refusal(version, Action.SELL, actor=owner)
    assert any("“A private dataset”" in one.sentence for one in effective_terms(version).restrictions)


def test_names_are_hidden_from_those_who_may_not_read_them(family, stranger):
    child = family("cc-by-nc-4.0")
    sentences = [one.sentence for one in effective_terms(child, viewer=stranger).restrictions]
    assert any("A private model" in sentence for sentence in sentences)
    assert not any("Base" in sentence for sentence in sentences)


def test_attribution_that_is_asked_for_is_made_where_none_was_written(publish, owner):
    pictures = Source.objects.create(
        kind=Source.Kind.DATASET, label="Secret name", sha256="a" * 64, licence_id="cc-by-4.0"
    )
    parent = publish(owner, "parent", licence=Licence.objects.get(slug="mit"), attribution="Ann (MIT)")
    child = publish(
        owner,
        "child",
        seed=1,
        title="Kid",
        licence=Licence.objects.get(slug="apache-2.0"),
        parents=[(parent.source, Derivation.Role.STARTING_POINT), (pictures, Derivation.Role.DATASET)],
    )
    assert sorted(required_attribution(child)) == [
        "Ann (MIT)",
        f"Kid by {owner.public_name} (Apache-2.0)",
        "Pictures under CC-BY-4.0",
    ]


def test_own_work_asks_for_no_attribution(family):
    assert required_attribution(family("own-work")) == []
