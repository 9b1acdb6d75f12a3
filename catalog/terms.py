"""What may be done with a model: the terms of everything it was made from, taken together.

Permissions are what every licence of the line gives; conditions, limitations, restrictions of use and
attributions are what any of them asks. So a further origin never allows more, and neither the order of the
origins nor meeting one twice matters. `combine` and `forbids` know nothing of the database;
`effective_terms`, `refusal`, `refusals` and `required_attribution` read the lines of versions for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.licences import OWNER_ONLY, titles
from catalog.line import Line, LineNode, line_of, lines_of
from catalog.models import Licence, ModelVersion


class Action(StrEnum):
    """What somebody is about to do."""

    DERIVE = "derive"  # train from it, mix it
    SHARE = "share"  # let others have it
    SELL = "sell"  # offer it for money


@dataclass(frozen=True, kw_only=True)
class LicenceTerms:
    """A licence as plain values; see `catalog.models.Licence`."""

    slug: str
    name: str
    permissions: frozenset[str]
    conditions: frozenset[str] = frozenset()
    limitations: frozenset[str] = frozenset()
    use_restrictions: frozenset[str] = frozenset()
    outputs_commercial: bool = True
    derivatives: bool = True
    share_alike: bool = False
    attribution_required: bool = False

    @classmethod
    def of(cls, licence: Licence, *, as_holder: bool = False) -> "LicenceTerms":
        """Take the values of a row; `as_holder` without what keeps everybody but the holder away."""
        kept_back = frozenset({OWNER_ONLY}) if as_holder else frozenset[str]()
        return cls(
            slug=licence.slug,
            name=licence.name,
            permissions=frozenset(licence.permissions),
            conditions=frozenset(licence.conditions),
            limitations=frozenset(licence.limitations),
            use_restrictions=frozenset(licence.use_restrictions) - kept_back,
            outputs_commercial=licence.outputs_commercial,
            derivatives=licence.derivatives,
            share_alike=licence.share_alike,
            attribution_required=licence.attribution_required,
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A node of the line: the thing itself (`depth` 0) or something that it was made from.

    `states_terms` is false where the licence says nothing to others yet, as that of one's own unshared work;
    `binds` is false where it is one's own work, shared or not: what others may do with it is asked of others.
    """

    key: str
    label: str
    licence: LicenceTerms
    attribution: str = ""
    depth: int = 0
    states_terms: bool = True
    binds: bool = True


@dataclass(frozen=True, kw_only=True)
class Restriction:
    """Something that one origin forbids or asks for, with the sentence that says so."""

    term: str
    origin: Origin
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Terms of the line that nobody can keep together. `key` names what collides, whoever asks."""

    key: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class EffectiveTerms:
    """The terms of a whole line. `restrictions`, `conflicts` and `attributions` come nearest first."""

    origins: tuple[Origin, ...]
    permissions: frozenset[str]
    conditions: frozenset[str]
    limitations: frozenset[str]
    use_restrictions: frozenset[str]
    outputs_commercial: bool
    derivatives: bool
    share_alike: bool
    attribution_required: bool
    attributions: tuple[str, ...]
    restrictions: tuple[Restriction, ...]
    conflicts: tuple[Conflict, ...]

    def sentences_of(self, key: str) -> list[str]:
        """What one source forbids and asks for, by its key in the database."""
        return [one.sentence for one in self.restrictions if one.origin.key.partition(":")[0] == key]


def combine(origins: Iterable[Origin]) -> EffectiveTerms:
    """Take the terms of a line together: intersection of permissions, union of everything that is asked.

    An origin that is met twice counts once, at its smaller depth. Raises ValueError for an empty line.
    """
    line = _once(origins)
    if not line:
        raise ValueError("a line has at least the thing itself")
    licences = [origin.licence for origin in line]
    limitations = frozenset[str]().union(*(licence.limitations for licence in licences))
    permissions = licences[0].permissions.intersection(*(licence.permissions for licence in licences))
    return EffectiveTerms(
        origins=line,
        permissions=permissions - limitations,
        conditions=frozenset[str]().union(*(licence.conditions for licence in licences)),
        limitations=limitations,
        use_restrictions=frozenset[str]().union(*(licence.use_restrictions for licence in licences)),
        outputs_commercial=all(licence.outputs_commercial for licence in licences),
        derivatives=all(licence.derivatives for licence in licences),
        share_alike=any(licence.share_alike for licence in licences),
        attribution_required=any(licence.attribution_required for licence in licences),
        attributions=tuple(dict.fromkeys(origin.attribution for origin in line if origin.attribution)),
        restrictions=tuple(one for origin in line for one in _restrictions(origin)),
        conflicts=tuple({one.key: one for one in _conflicts(line)}.values()),
    )


_FORBIDDING: dict[Action, frozenset[str]] = {
    Action.DERIVE: frozenset({OWNER_ONLY, "modifications"}),
    Action.SHARE: frozenset({OWNER_ONLY, "distribution"}),
    Action.SELL: frozenset({OWNER_ONLY, "commercial-use"}),
}


def forbids(terms: EffectiveTerms, action: Action) -> str | None:
    """Return the sentence that forbids an action, that of the nearest origin; None where none does.

    What collides may be kept, but not passed on.
    """
    binding = [one for one in terms.restrictions if one.origin.binds]
    found = [one.sentence for one in binding if one.term in _FORBIDDING[action]]
    if action is Action.SHARE:
        found += [conflict.sentence for conflict in terms.conflicts]
    return found[0] if found else None


def effective_terms(
    version: ModelVersion,
    *,
    viewer: User | AnonymousUser | None = None,
    licence: Licence | None = None,
) -> EffectiveTerms:
    """The terms of a version along its whole line, in names that the viewer may read. Three queries.

    They hold for the viewer: what is kept back for its holder is free for the holder. `licence` is one that
    the version would be given, in place of the one that it has.
    """
    return terms_of_line(line_of(version.source), viewer=viewer or AnonymousUser(), licence=licence)


def terms_of_line(
    line: Line, *, viewer: User | AnonymousUser, licence: Licence | None = None
) -> EffectiveTerms:
    """The same for a line that was read already. No query."""
    return combine(origin for node in line.nodes for origin in _origins(node, viewer, licence))


def refusal(
    version: ModelVersion,
    action: Action,
    *,
    actor: User | AnonymousUser | None = None,
    licence: Licence | None = None,
) -> str | None:
    """Say why the actor may not do that with a version; None where its terms allow it.

    Without an actor: why nobody else may. `licence` as in `effective_terms`.
    """
    return forbids(effective_terms(version, viewer=actor, licence=licence), action)


def refusals(
    versions: Sequence[ModelVersion], action: Action, *, actor: User | AnonymousUser
) -> dict[UUID, str]:
    """Say of each of these versions, by its key, why the actor may not do that; the others are left out.

    Three queries for all of them: for lists that people choose from.
    """
    if not versions:
        return {}
    lines = lines_of([version.source_id for version in versions])
    told = {
        version.pk: forbids(terms_of_line(lines[version.source_id], viewer=actor), action)
        for version in versions
    }
    return {key: sentence for key, sentence in told.items() if sentence}


def required_attribution(version: ModelVersion) -> list[str]:
    """The lines that have to stand wherever a version, or anything made with it, is shown: nearest first."""
    return list(effective_terms(version).attributions)


def required_credits(versions: Sequence[ModelVersion]) -> list[tuple[list[str], Licence]]:
    """Each version's `required_attribution` with the licence that holds for it.

    Three queries for all of them.
    """
    lines, nobody = lines_of([version.source_id for version in versions]), AnonymousUser()
    own = [lines[version.source_id] for version in versions]
    return [(list(terms_of_line(line, viewer=nobody).attributions), line.nodes[0].licence) for line in own]


def _origins(node: LineNode, viewer: User | AnonymousUser, licence: Licence | None) -> Iterator[Origin]:
    """A node under the licence that it is given, and under the one it came with, which goes on to count.

    Own work that its holder has made into something else counts for nothing there: the holder decides anew.
    """
    came_with = node.source.licence
    is_own_work = OWNER_ONLY in came_with.use_restrictions
    is_holder = viewer.is_authenticated and node.holder_id == viewer.pk
    given = licence if licence is not None and node.depth == 0 else node.licence
    if is_own_work and node.is_passed_on:
        given = came_with
    label, _model = node.name_for(viewer)
    yield Origin(
        key=str(node.source.pk),
        label=label,
        licence=LicenceTerms.of(given, as_holder=node.is_passed_on or is_holder),
        attribution=node.attribution,
        depth=node.depth,
        states_terms=OWNER_ONLY not in given.use_restrictions,
        binds=not (is_own_work and is_holder and node.depth == 0),
    )
    if given.pk != came_with.pk and not is_own_work:
        yield Origin(
            key=f"{node.source.pk}:came-with",
            label=_("%(title)s, as it came") % {"title": label},
            licence=LicenceTerms.of(came_with),
            depth=node.depth + 1,
        )


def _once(origins: Iterable[Origin]) -> tuple[Origin, ...]:
    """Each origin once, nearest first; the order follows from what they are, not from how they came."""
    nearest: dict[str, Origin] = {}
    for origin in origins:
        known = nearest.get(origin.key)
        if known is None or origin.depth < known.depth:
            nearest[origin.key] = origin
    return tuple(sorted(nearest.values(), key=lambda one: (one.depth, one.label, one.key)))


def _restrictions(origin: Origin) -> Iterator[Restriction]:
    """What an origin forbids and asks for."""
    licence = origin.licence
    says = {"label": origin.label, "licence": licence.name}
    if OWNER_ONLY in licence.use_restrictions:
        yield _restriction(OWNER_ONLY, origin, _("“%(label)s” is for its owner only (%(licence)s).") % says)
    if not licence.derivatives:
        told = _("Nothing may be made from “%(label)s”: its licence, %(licence)s, forbids changed versions.")
        yield _restriction("modifications", origin, told % says)
    if "distribution" not in licence.permissions:
        told = _("“%(label)s” may not be shared: its licence, %(licence)s, does not allow it.")
        yield _restriction("distribution", origin, told % says)
    if "commercial-use" not in licence.permissions or not licence.outputs_commercial:
        told = _("“%(label)s” and what is made with it may not be used commercially (%(licence)s).")
        yield _restriction("commercial-use", origin, told % says)
    if licence.share_alike:
        told = _("What is made from “%(label)s” has to be shared under the same licence, %(licence)s.")
        yield _restriction("same-license", origin, told % says)
    if licence.attribution_required:
        told = _("Whoever shares it names those behind “%(label)s” and the licence %(licence)s.")
        yield _restriction("include-copyright", origin, told % says)
    if "document-changes" in licence.conditions:
        told = _("Whoever changes it says what differs from “%(label)s” (%(licence)s).")
        yield _restriction("document-changes", origin, told % says)
    uses = sorted(licence.use_restrictions - {OWNER_ONLY})
    if uses:
        told = _("“%(label)s” and what is made with it may not be used for: %(uses)s (%(licence)s).")
        yield _restriction("use-restrictions", origin, told % {**says, "uses": "; ".join(titles(uses))})


def _restriction(term: str, origin: Origin, sentence: str) -> Restriction:
    return Restriction(term=term, origin=origin, sentence=sentence)


def _conflicts(line: tuple[Origin, ...]) -> Iterator[Conflict]:
    yield from _between_share_alikes(line)
    above = [origin for origin in line if origin.depth > 0]
    for origin in above:
        if not origin.licence.derivatives:
            told = _("“%(label)s” may not be changed (%(licence)s), and this was made from it.")
            yield _conflict("no-derivatives", origin, told)
    for own in line:
        if own.depth == 0 and own.states_terms:
            for origin in above:
                yield from _between(own.licence, origin)


def _between_share_alikes(line: tuple[Origin, ...]) -> Iterator[Conflict]:
    """Two licences that both want to be the result's only one."""
    first: dict[str, Origin] = {}
    for origin in line:
        if origin.licence.share_alike:
            first.setdefault(origin.licence.slug, origin)
    for one, other in combinations([first[slug] for slug in sorted(first)], 2):
        told = _(
            "“%(one)s” wants what is made from it under %(one_licence)s, “%(other)s” under "
            "%(other_licence)s. Nobody can do both."
        ) % {
            "one": one.label,
            "one_licence": one.licence.name,
            "other": other.label,
            "other_licence": other.licence.name,
        }
        yield Conflict(key=("same-license", one.licence.slug, other.licence.slug), sentence=told)


def _between(own: LicenceTerms, origin: Origin) -> Iterator[Conflict]:
    """What a licence promises that an origin does not give, or leaves out that an origin asks for."""
    given = origin.licence
    if given.share_alike and not own.share_alike:
        told = _("“%(label)s” asks that what is made from it is shared under %(licence)s too.")
        yield _conflict("same-license", origin, told)
    promises = {
        "commercial-use": _(
            "%(own)s would allow commercial use, and “%(label)s” does not (%(licence)s). "
            "Choose a licence for non-commercial use."
        ),
        "distribution": _("%(own)s would let others pass it on, and “%(label)s” does not (%(licence)s)."),
    }
    for term, told in promises.items():
        if term in own.permissions and term not in given.permissions:
            yield _conflict(term, origin, told, own=own.name)


def _conflict(kind: str, origin: Origin, told: str, **words: str) -> Conflict:
    says = {"label": origin.label, "licence": origin.licence.name, **words}
    return Conflict(key=(kind, origin.key), sentence=told % says)
