"""What the apps above know of a model: each tells it in `AppConfig.ready`, unknown to the catalog."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise

from accounts.models import User
from catalog.models import CatalogModel, ModelVersion
from engines.images import UInt8Array

# Returns a sentence for the page that asks before a model is deleted; "" when nothing depends on it.
Describe = Callable[[CatalogModel], str]


@dataclass(frozen=True, kw_only=True)
class Dependents:
    """One kind of thing that needs a model; `blocks` when the model cannot go while there are any."""

    name: str
    describe: Describe
    blocks: bool = False


# Returns what the part's template shows of a version, None where it has nothing to show.
Tell = Callable[[ModelVersion, User | AnonymousUser], dict[str, Any] | None]


@dataclass(frozen=True, kw_only=True)
class PagePart:
    """A part of a tab of models' pages, with a template of the app that tells it."""

    name: str
    template: str
    tell: Tell
    tab: str = "overview"


# Returns why a person can store no more, so many bytes taken into account; "" where there is room.
JudgeRoom = Callable[[User, int], str]

# Returns how many bytes of what an app above keeps are a person's.
CountBytes = Callable[[User], int]

# Returns the storage key of a picture of the user's, None where there is none of that number.
FindPicture = Callable[[User, uuid.UUID], str | None]

# Returns how often each version was used, by the version's key.
CountUses = Callable[[], Iterable[tuple[uuid.UUID, int]]]


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A page that takes a picture from elsewhere; `address` makes its link of what `find_source` reads."""

    name: str
    title: str | Promise
    text: str | Promise
    address: Callable[[str], str]


# Returns which input is wrong, and why a user may not run a version with these settings; None where they may.
JudgeSettings = Callable[[User, ModelVersion, Mapping[str, Any]], tuple[str, str] | None]


@dataclass(frozen=True, kw_only=True)
class RunFamily:
    """A family of models that an app above runs.

    `runner` is the dotted path of its `catalog.runners.Runner`, which workers alone import.
    """

    name: str
    runner: str
    judge: JudgeSettings


@dataclass(frozen=True, kw_only=True)
class NearestPicture:
    """The training picture that one of a model's pictures resembles most, for the owner of both.

    `url` is its thumbnail's address and `full_url` the picture's; both are "" where it was taken out since.
    `distance` as `engines.metrics.nearest` measures it; `usual` is the percentage of training pictures that
    have another one as near as that; `sentence` says what to think of it.
    """

    title: str
    url: str
    full_url: str
    distance: float
    usual: int
    is_suspect: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class TrainingPictures:
    """Somebody who knows what versions were trained on.

    Attributes:
        indexes: returns the storage keys of the private files in which the pictures of a version, and
            of what it was made from, are searched (`engines.metrics.nearest`); none where they are gone.
        nearest: returns the picture nearest to one of uint8 `[R, R, 3]`; None where the user does not own
            the pictures, or they are gone.
    """

    indexes: Callable[[ModelVersion], list[str]]
    nearest: Callable[[ModelVersion, User, UInt8Array], NearestPicture | None]


_registered: dict[str, Dependents] = {}
_parts: dict[str, PagePart] = {}
_judges: dict[str, JudgeRoom] = {}
_uses: dict[str, CountUses] = {}
_stored: dict[str, CountBytes] = {}
_pictures: dict[str, FindPicture] = {}
_trained_on: dict[str, TrainingPictures] = {}
_destinations: dict[str, Destination] = {}
_families: dict[str, RunFamily] = {}


def register_dependents(dependents: Dependents) -> None:
    """Add a kind of thing; registering the same name again replaces it."""
    _registered[dependents.name] = dependents


def dependents_of(model: CatalogModel) -> list[tuple[Dependents, str]]:
    """Return what depends on the model, each with its sentence."""
    described = ((dependents, dependents.describe(model)) for dependents in _registered.values())
    return [(dependents, sentence) for dependents, sentence in described if sentence]


def register_page_part(part: PagePart) -> None:
    """Add a part to models' pages; registering the same name again replaces it."""
    _parts[part.name] = part


def parts_of_page(
    version: ModelVersion, viewer: User | AnonymousUser, tab: str
) -> list[tuple[str, dict[str, Any]]]:
    """Return the template of every part of a tab that has something to show, with what it shows."""
    parts = [part for part in _parts.values() if part.tab == tab]
    told = ((part.template, part.tell(version, viewer)) for part in parts)
    return [(template, shown) for template, shown in told if shown is not None]


def register_room(name: str, judge: JudgeRoom) -> None:
    """Add somebody who knows how much room people have; registering the same name again replaces it."""
    _judges[name] = judge


def room_refusal(user: User, extra_bytes: int) -> str:
    """Return why the user cannot store so many bytes more, "" when there is room."""
    return next(filter(None, (judge(user, extra_bytes) for judge in _judges.values())), "")


def register_stored(name: str, count: CountBytes) -> None:
    """Add something that counts towards people's storage; registering the same name again replaces it."""
    _stored[name] = count


def stored_above(user: User) -> int:
    """Return how many bytes the apps above keep of the user's."""
    return sum(count(user) for count in _stored.values())


def register_pictures(name: str, find: FindPicture) -> None:
    """Add a place from which pictures can be sent to a model; the same name again replaces it."""
    _pictures[name] = find


def find_picture(user: User, name: str, number: uuid.UUID) -> str | None:
    """Return the storage key of a picture that the user may send to a model, None where there is none."""
    find = _pictures.get(name)
    return find(user, number) if find else None


def register_destination(destination: Destination) -> None:
    """Add a page that takes pictures; registering the same name again replaces it."""
    _destinations[destination.name] = destination


def destinations() -> list[Destination]:
    """Return the pages beside the models' own that take pictures."""
    return list(_destinations.values())


def register_run_family(family: RunFamily) -> None:
    """Add a family that can be run; registering the same name again replaces it."""
    _families[family.name] = family


def run_family(name: str) -> RunFamily | None:
    """Return who runs a family, None where the catalog does it itself or nobody."""
    return _families.get(name)


def register_training_pictures(name: str, known: TrainingPictures) -> None:
    """Add somebody who knows training pictures; registering the same name again replaces it."""
    _trained_on[name] = known


def training_indexes(version: ModelVersion) -> list[str]:
    """Return the storage keys of the files in which a version's training pictures are searched."""
    return [key for known in _trained_on.values() for key in known.indexes(version)]


def nearest_picture(version: ModelVersion, user: User, pixels: UInt8Array) -> NearestPicture | None:
    """Return the user's training picture of a version that is nearest to uint8 `[R, R, 3]`."""
    found = (known.nearest(version, user, pixels) for known in _trained_on.values())
    return next(filter(None, found), None)


def register_uses(name: str, count: CountUses) -> None:
    """Add somebody who makes things with models; registering the same name again replaces it."""
    _uses[name] = count


def uses_by_version() -> Counter[uuid.UUID]:
    """Return how often each version was used, by all who use them."""
    total: Counter[uuid.UUID] = Counter()
    for count in _uses.values():
        for version, times in count():
            total[version] += times
    return total
