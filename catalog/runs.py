"""Questions about runs of models that pages and services ask."""

import statistics
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from billing.selectors import Quote, quote_price
from catalog.exceptions import ChainRefusedError
from catalog.kinds import inputs_of, is_runnable, link, outputs_of
from catalog.models import CatalogModel, ModelRun, ModelVersion, RunItem, RunResult, RunStep, RunTiming
from catalog.registry import find_picture
from catalog.selectors import latest_versions
from engines.onnx.ports import Input

PREFIX = "runs"
# What a run's own results are called where they are sent on.
OWN_RESULTS = "result"
_TIMINGS = 101  # newest ones that a median is made of


@dataclass(frozen=True, kw_only=True)
class RunQuote:
    """What a run costs now: in all, and the price of an item in each step."""

    credits: int
    steps: tuple[Quote, ...]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How long a version takes on a device: the median of so many runs, in seconds."""

    device: str
    seconds: float
    count: int


def price_code(model: CatalogModel) -> str:
    """Return the row of the price list: so many credits for an item."""
    return f"run-{model.type}"


def quote_run(models: Sequence[CatalogModel], count: int) -> RunQuote:
    """Return what it costs to send so many items through these models."""
    steps = tuple(quote_price(price_code(model), count) for model in models)
    return RunQuote(credits=sum(step.credits for step in steps), steps=steps)


def runnable_versions(user: User) -> QuerySet[ModelVersion]:
    """Newest versions of the models that the user may run: their own and the public ones."""
    visible = CatalogModel.objects.visible_to(user).filter(withdrawn_at__isnull=True)
    return latest_versions().filter(model__in=visible).order_by("model__title")


def versions_at(user: User, handle: str, name: str) -> QuerySet[ModelVersion]:
    """The newest version at an address, if the user may run it: one of an unlisted model, too."""
    named = CatalogModel.objects.reachable_by(user).filter(owner__handle=handle, name=name)
    return latest_versions().filter(model__in=named.filter(withdrawn_at__isnull=True).values("pk"))


def takers(user: User, kind: str, *, limit: int = 60) -> list[ModelVersion]:
    """Return the models that take this kind and can be run here: those that change things first."""
    found = runnable_versions(user).filter(model__input_kinds__contains=[kind])
    versions = [version for version in found[: 2 * limit] if is_runnable(version)]
    return sorted(versions, key=lambda version: version.model.type != CatalogModel.Type.TRANSFORM)[:limit]


def file_input(version: ModelVersion) -> Input | None:
    """Return the input that takes a picture, None where there is none."""
    return next((port for port in inputs_of(version) if port.kind == "image"), None)


def check_chain(versions: Sequence[ModelVersion]) -> None:
    """Raise ChainRefusedError, with the reason, at the first step that does not fit."""
    for place, version in enumerate(versions):
        if not is_runnable(version):
            refusal = _("“%(title)s” cannot be run as a step. Choose another model.")
            raise ChainRefusedError(refusal % {"title": version.model.title}, place)
        if place:
            _check_joint(versions[place - 1], version, place)


def _check_joint(before: ModelVersion, version: ModelVersion, place: int) -> None:
    """Raise ChainRefusedError where a model cannot take what the one before gives, or needs another picture.

    All other inputs are set on the chain's own page.
    """
    joint = link(outputs_of(before), inputs_of(version))
    words = {"title": version.model.title, "before": before.model.title}
    if joint is None:
        words["takes"] = kind_words(port.kind for port in inputs_of(version))
        words["gives"] = kind_words(port.kind for port in outputs_of(before))
        refusal = _("“%(title)s” takes %(takes)s, but “%(before)s” gives %(gives)s. Choose another model.")
        raise ChainRefusedError(refusal % words, place)
    others = [port for port in inputs_of(version) if port != joint[1]]
    missing = [port for port in others if port.kind == "image" and port.default is None]
    if missing:
        words["input"] = missing[0].label or missing[0].name
        refusal = _("“%(title)s” also needs “%(input)s”, which no step gives. Choose another model.")
        raise ChainRefusedError(refusal % words, place)


def kind_words(kinds: Iterable[str]) -> str:
    """Return kinds as people read them: "a picture, labels"."""
    words = {
        "image": _("a picture"),
        "text": _("a text"),
        "number": _("a number"),
        "vector": _("a vector"),
        "category": _("a choice"),
        "labels": _("labels"),
        "boxes": _("boxes"),
        "json": _("JSON"),
    }
    return ", ".join(words.get(kind, kind) for kind in dict.fromkeys(kinds))


def measured(version: ModelVersion) -> list[Measured]:
    """Return how long runs of a version took, by device: what its page tells."""
    newest = RunTiming.objects.filter(version=version).order_by("-created_at")[:_TIMINGS]
    by_device: dict[str, list[float]] = {}
    for timing in newest:
        by_device.setdefault(timing.device, []).append(timing.seconds)
    return [
        Measured(device=device, seconds=statistics.median(seconds), count=len(seconds))
        for device, seconds in sorted(by_device.items())
    ]


def find_source(user: User, text: str) -> str | None:
    """Return the storage key of the picture that a link names (`picture:<id>`), None where there is none."""
    name, _colon, number = text.partition(":")
    try:
        key = uuid.UUID(number)
    except ValueError:
        return None
    return find_picture(user, name, key)


def find_result(user: User, number: uuid.UUID) -> str | None:
    """Return the storage key of a picture that a run of the user's made."""
    results = RunResult.objects.filter(item__run__owner=user).exclude(file="")
    return results.filter(pk=number).values_list("file", flat=True).first()


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `runs/` and `jobs/` that a run shows."""
    items = RunItem.objects.filter(file__in=keys).values_list("file", flat=True)
    return set(items) | set(RunResult.objects.filter(file__in=keys).values_list("file", flat=True))


def files_of(run: ModelRun) -> list[str]:
    """Return the storage keys of what was given and what was made."""
    items = RunItem.objects.filter(Q(run=run) & ~Q(file="")).values_list("file", flat=True)
    results = RunResult.objects.filter(Q(item__run=run) & ~Q(file="")).values_list("file", flat=True)
    return [*items, *results]


def count_uses() -> list[tuple[uuid.UUID, int]]:
    """Return how often each version of a model was ordered to run."""
    steps = RunStep.objects.exclude(version=None).order_by()
    return list(steps.values_list("version").annotate(Count("pk")))
