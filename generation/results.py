"""What a page shows of an order: a place for each picture, filled as it comes, and a preview of the next."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage
from django.http import HttpRequest

from generation.models import Generation, Picture
from generation.remix import remix_url
from jobs.estimates import is_served
from jobs.files import attempt_prefix
from jobs.models import Queue, State
from jobs.progress import Progress, read_progress


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a picture is or will be; `left` says where on the sheet its preview begins."""

    index: int
    picture: Picture | None
    left: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The pictures under way side by side, in all `width` wide, in the units of the order's shape.

    `address` holds the picture itself, so that nothing flickers.
    """

    address: str
    width: int


def result_context(request: HttpRequest, generation: Generation) -> dict[str, Any]:
    """Return what an order's result shows; the query's `have` says how many pictures the page has already."""
    progress = read_progress(generation.job)
    pictures = {picture.index: picture for picture in generation.pictures.all()}
    is_open = generation.job.is_active
    width, height = _shape(generation, pictures.values())
    sheet = _sheet(generation, progress, width) if is_open else None
    places = _places(generation, pictures, width=width, sheet_width=sheet.width if sheet else 0)
    have = request.GET.get("have", "")
    shown = int(have) if have.isdecimal() and len(have) < 4 else 0
    return {
        "generation": generation,
        "progress": progress,
        "width": width,
        "height": height,
        "places": [place for place in places if is_open or place.picture],
        "fresh": [place for place in places if place.picture and place.index >= shown],
        "previewed": [place for place in places if place.left is not None],
        "sheet": sheet,
        "is_unserved": generation.job.state == State.QUEUED and not is_served(Queue.GENERATE),
        "made": len(pictures),
        "bar": len(pictures) + progress.values.get("under_way", 0) * progress.values.get("share", 0),
        "next_index": max(pictures, default=-1) + 1,
        "missing": generation.count - len(pictures) - len(generation.refused),
        "refused": len(generation.refused),
        "remix_url": remix_url(generation),
    }


def _shape(generation: Generation, pictures: Iterable[Picture]) -> tuple[int, int]:
    """Return width and height of an order's pictures, all alike; 1 and 1 where that is not known yet."""
    for picture in pictures:
        return picture.width, picture.height
    return generation.settings.get("width", 1), generation.settings.get("height", 1)


def _places(
    generation: Generation, pictures: Mapping[int, Picture], *, width: int, sheet_width: int
) -> list[Place]:
    """Return a place for each picture that is made or still to come; the first of these are under way."""
    places, left = [], 0
    for index in range(generation.count):
        if index in pictures:
            places.append(Place(index=index, picture=pictures[index]))
        elif index not in generation.refused:
            places.append(Place(index=index, picture=None, left=left if left < sheet_width else None))
            left += width
    return places


def _sheet(generation: Generation, progress: Progress, width: int) -> Sheet | None:
    """Return the newest preview; None where there is none, or where it has gone meanwhile."""
    columns = int(progress.values.get("under_way", 0))
    if not columns or not progress.preview.startswith(attempt_prefix(generation.job)):
        return None
    try:
        with default_storage.open(progress.preview) as file:
            content = base64.b64encode(file.read()).decode()
    except FileNotFoundError:
        return None
    return Sheet(address=f"data:image/webp;base64,{content}", width=columns * width)
