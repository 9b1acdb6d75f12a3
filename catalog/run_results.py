"""What a run made, as its page shows it and as it is downloaded."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage
from django.utils.text import slugify

from catalog.models import ModelRun, RunItem, RunResult

_CSV_COLUMNS = ("item", "name", "step", "model", "output", "kind", "label", "value", "box", "error")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An item with what came out of it: `results` of the last step first, the others in `before`."""

    item: RunItem
    results: list[RunResult]
    before: list[RunResult]

    @property
    def gives_picture(self) -> bool:
        """Whether the last step made a picture; the one that it was given is shown else."""
        return any(result.file for result in self.results)

    @property
    def handed_on(self) -> RunResult | None:
        """The picture that the last step of a chain was given by the one before, if it was given one."""
        return next((result for result in reversed(self.before) if result.file), None)

    @property
    def boxes(self) -> list[dict[str, Any]]:
        """The boxes found on the item's picture, in percent of its sides, numbered."""
        found = [box for result in self.results if result.kind == "boxes" for box in result.value or ()]
        return [{**box, **_percent(box["box"]), "number": number} for number, box in enumerate(found, 1)]


def _percent(box: list[float]) -> dict[str, str]:
    left, upper, right, lower = box
    sides = {"x": left, "y": upper, "width": right - left, "height": lower - upper}
    return {name: f"{100 * side:.2f}%" for name, side in sides.items()}


def shown_items(run: ModelRun) -> list[Shown]:
    """Return a run's items with their results. Three queries."""
    items = run.items.prefetch_related("results__step").all()
    last = run.steps.count() - 1
    shown = []
    for item in items:
        results = sorted(item.results.all(), key=lambda result: (result.step.position, result.pk.hex))
        shown.append(
            Shown(
                item=item,
                results=[result for result in results if result.step.position == last],
                before=[result for result in results if result.step.position < last],
            )
        )
    return shown


def file_name(result: RunResult) -> str:
    """Return what a downloaded picture is called: the item's number and name, and the output."""
    stem = slugify(result.item.name.rsplit(".", 1)[0])[:60]
    parts = [f"{result.item.position + 1:03d}", stem, slugify(result.step.model_title)[:40], result.output]
    return "-".join(part for part in parts if part) + ".png"


def as_json(run: ModelRun) -> bytes:
    """Return everything that is no picture, by item."""
    items = [
        {
            "item": shown.item.position + 1,
            "name": shown.item.name,
            "error": shown.item.error or None,
            "results": [_told(result) for result in [*shown.before, *shown.results]],
        }
        for shown in shown_items(run)
    ]
    return json.dumps({"run": str(run.pk), "title": run.title, "items": items}, indent=2).encode()


def _told(result: RunResult) -> dict[str, Any]:
    told = {
        "step": result.step.position + 1,
        "model": result.step.model_title,
        "output": result.output,
        "kind": result.kind,
        "seconds": result.seconds,
    }
    return {**told, "file": file_name(result)} if result.file else {**told, "value": result.value}


def as_csv(run: ModelRun) -> bytes:
    """Return one line for each value, label and box; and one for each item that has none."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _CSV_COLUMNS, restval="")
    writer.writeheader()
    for shown in shown_items(run):
        head = {"item": shown.item.position + 1, "name": _harmless(shown.item.name)}
        if shown.item.error:
            writer.writerow({**head, "error": _harmless(shown.item.error)})
        for result in [*shown.before, *shown.results]:
            told = {"step": result.step.position + 1, "output": result.output, "kind": result.kind}
            told["model"] = _harmless(result.step.model_title)
            writer.writerows({**head, **told, **line} for line in _lines(result))
    return buffer.getvalue().encode("utf-8-sig")


def _lines(result: RunResult) -> Iterator[dict[str, str]]:
    if result.file:
        yield {"value": file_name(result)}
    elif result.kind in {"labels", "boxes"}:
        for one in result.value or ():
            box = " ".join(f"{side:g}" for side in one.get("box", ()))
            yield {"label": _harmless(one["label"]), "value": f"{one['score']:g}", "box": box}
    else:
        value = result.value if isinstance(result.value, str) else json.dumps(result.value)
        yield {"value": _harmless(value) if result.kind == "text" else value}


def _harmless(text: str) -> str:
    """Keep spreadsheets from taking a text for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def zip_entries(run: ModelRun) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the pictures that were made, then all else as results.json and results.csv."""
    results = RunResult.objects.filter(item__run=run).exclude(file="").select_related("item", "step")
    for result in results.order_by("item__position", "step__position", "output"):
        try:
            with default_storage.open(result.file) as stored:
                yield file_name(result), [stored.read()]
        except FileNotFoundError:
            continue
    yield "results.json", [as_json(run)]
    yield "results.csv", [as_csv(run)]
