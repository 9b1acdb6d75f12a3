"""What is counted along of a dataset's pictures, so that its report never reads 25,000 rows.

`Dataset.tallies` is a JSON object with these keys; a dataset that never had a picture has none of them:

- `rev`: how often pictures came or went; grows by one with each.
- `pictures`: how many there are. `sides`: counts by the shorter side in pixels: below SIDE_EDGES[0], from
  there to below SIDE_EDGES[1], ..., from SIDE_EDGES[-1] on. `aspects`: the same of width by height over
  ASPECT_EDGES. `long`: those that have this mark.
- `measured`: pictures that have the figures of engines.measures. Only these are in the next six.
- `blurred`, `dark`, `bright`, `flat`: how many have these marks (training.marks). One may have several.
- `blur`, `brightness`: counts in ten equal steps, the first from 0 to 0.1.
- `layout`: over the pictures that have a print, their `count`, the `sum` of their 8 x 8 colour layouts
  (192 numbers, each 0 to 255) and the sum of the squares of all those numbers, `squares`. See `variety`.
- `duplicates`: files that were sent and not kept, because their picture was there already.

All are sums of whole numbers, so the order in which pictures come and go makes no difference.
"""

import math
from bisect import bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction

from engines.likeness import PRINT_SIDE, coarse_layout
from engines.measures import BLURRED_ABOVE
from training import marks
from training.models import Dataset, DatasetImage

Tallies = dict[str, Any]

SIDE_EDGES = (64, 128, 256, 512, 1024, 2048)
ASPECT_EDGES = (0.5, 0.8, 1.25, 2.0)
STEPS = 10
_LAYOUT_NUMBERS = 192
_MARKS = ("long", "blurred", "dark", "bright", "flat")


def empty() -> Tallies:
    """The tallies of a dataset without pictures, with all their keys."""
    return {
        "rev": 0,
        "pictures": 0,
        "measured": 0,
        **dict.fromkeys(_MARKS, 0),
        "blur": [0] * STEPS,
        "brightness": [0] * STEPS,
        "sides": [0] * (len(SIDE_EDGES) + 1),
        "aspects": [0] * (len(ASPECT_EDGES) + 1),
        "layout": {"count": 0, "sum": [0] * _LAYOUT_NUMBERS, "squares": 0},
        "duplicates": 0,
    }


def count_in(tallies: Tallies, image: DatasetImage) -> Tallies:
    """Return the tallies with a picture more. Reads `image.print`: select it along, or set it."""
    return _counted(tallies, image, 1)


def count_out(tallies: Tallies, image: DatasetImage) -> Tallies:
    """Return the tallies with a picture less. Reads `image.print`, so call it before the row is deleted."""
    return _counted(tallies, image, -1)


def count_duplicate(tallies: Tallies) -> Tallies:
    """Return the tallies with a file more that was not kept."""
    return {**empty(), **tallies, "duplicates": tallies.get("duplicates", 0) + 1}


@transaction.atomic
def recount(dataset: Dataset) -> Tallies:
    """Count all pictures of a dataset anew and save that. One transaction; its row is locked meanwhile."""
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    counted = {**empty(), "duplicates": locked.tallies.get("duplicates", 0)}
    for image in locked.images.select_related("print").iterator(chunk_size=500):
        _add(counted, image, 1)
    # Larger than before, whatever has changed: who has read the pictures reads them again.
    counted["rev"] = locked.tallies.get("rev", 0) + 1
    Dataset.objects.filter(pk=dataset.pk).update(tallies=counted)
    dataset.tallies = counted
    return counted


def variety(tallies: Tallies) -> float | None:
    """How much the pictures differ: the root mean square distance of their layouts from the mean layout.

    In levels from 0 (all the same) to 127.5, per number of the layout; None for fewer than two pictures.
    """
    layout = tallies.get("layout", {"count": 0})
    count = layout["count"]
    if count < 2:
        return None
    # In whole numbers up to here, so that rounding cannot make it negative.
    spread = count * layout["squares"] - sum(total * total for total in layout["sum"])
    return math.sqrt(spread / (count * count * _LAYOUT_NUMBERS))


def _counted(tallies: Tallies, image: DatasetImage, sign: int) -> Tallies:
    changed = {**empty(), **tallies}
    for name in ("blur", "brightness", "sides", "aspects"):
        changed[name] = list(changed[name])
    changed["layout"] = dict(changed["layout"])
    _add(changed, image, sign)
    changed["rev"] += 1
    return changed


def _add(tallies: Tallies, image: DatasetImage, sign: int) -> None:
    tallies["pictures"] += sign
    tallies["sides"][bisect_right(SIDE_EDGES, min(image.width, image.height))] += sign
    tallies["aspects"][bisect_right(ASPECT_EDGES, image.width / image.height)] += sign
    for mark in _marks(image):
        tallies[mark] += sign
    if image.blur is not None and image.brightness is not None:
        tallies["measured"] += sign
        tallies["blur"][_step(image.blur)] += sign
        tallies["brightness"][_step(image.brightness)] += sign
    numbers = _layout_of(image)
    if numbers is not None:
        layout = tallies["layout"]
        layout["count"] += sign
        layout["sum"] = (np.asarray(layout["sum"]) + sign * numbers).tolist()
        layout["squares"] += sign * int((numbers * numbers).sum())


def _marks(image: DatasetImage) -> list[str]:
    """What training.marks asks of the database, asked of one picture."""
    found = []
    if max(image.width, image.height) > marks.LONG_ABOVE * min(image.width, image.height):
        found.append("long")
    if image.blur is None or image.brightness is None or image.contrast is None:
        return found
    if image.blur > BLURRED_ABOVE:
        found.append("blurred")
    if image.contrast < marks.CONTRAST_MEANT:
        if image.brightness < marks.DARK_BELOW:
            found.append("dark")
        if image.brightness > marks.BRIGHT_ABOVE:
            found.append("bright")
    if image.contrast < marks.FLAT_BELOW:
        found.append("flat")
    return found


def _step(value: float) -> int:
    return min(STEPS - 1, int(value * STEPS))


def _layout_of(image: DatasetImage) -> npt.NDArray[np.int64] | None:
    if not hasattr(image, "print"):
        return None
    pixels = np.frombuffer(image.print.pixels, np.uint8).reshape(PRINT_SIDE, PRINT_SIDE, 3)
    return coarse_layout(pixels).astype(np.int64)
