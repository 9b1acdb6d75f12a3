"""Drawn picture families: deterministic illustrations from which samples and starters are made.

`draw("faces", 7)` is the same picture on every machine, apart from rounding in antialiased edges between
versions of Pillow. All pictures are made by this code alone and are released under CC0 1.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from . import cats, faces, flowers, landscapes


@dataclass(frozen=True, kw_only=True)
class Family:
    """A coherent set of drawn pictures.

    `count` is how many distinct pictures the starter recipe draws, `sample_count` how many make up the sample
    dataset. Any index from 0 upwards can be drawn. `caption(index)` describes one picture in a few words.
    """

    name: str
    title: str
    description: str
    licence: str
    count: int
    sample_count: int
    caption: Callable[[int], str]
    painter: Callable[[int, int, int], Image.Image]


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="faces",
            title="Faces",
            description="Portraits of invented people with all kinds of hair, hats and glasses.",
            licence="CC0-1.0",
            count=5000,
            sample_count=1000,
            caption=faces.caption,
            painter=faces.draw,
        ),
        Family(
            name="cats",
            title="Cats",
            description="Cat heads seen from the front: plain, tabby, calico, siamese and tuxedo.",
            licence="CC0-1.0",
            count=2000,
            sample_count=300,
            caption=cats.caption,
            painter=cats.draw,
        ),
        Family(
            name="flowers",
            title="Flowers",
            description="Single blooms on a stem: daisies, sunflowers, dahlias, clematis and others.",
            licence="CC0-1.0",
            count=5000,
            sample_count=400,
            caption=flowers.caption,
            painter=flowers.draw,
        ),
        Family(
            name="landscapes",
            title="Landscapes",
            description="Hills in the haze under a low sun or a moon, at every time of the day.",
            licence="CC0-1.0",
            count=5000,
            sample_count=500,
            caption=landscapes.caption,
            painter=landscapes.draw,
        ),
    )
}


def draw(family: str, index: int, size: int = 128) -> Image.Image:
    """Draws one picture of a family.

    Returns an RGB image of size x size pixels. The same arguments always give the same picture.
    Raises ValueError for an unknown family, a negative index or a size below 16.
    """
    _check_name(family)
    if index < 0:
        raise ValueError(f"A picture's index counts from 0; {index} is negative.")
    if size < 16:
        raise ValueError(f"A picture needs at least 16 pixels a side; {size} is too small.")
    return FAMILIES[family].painter(index, size, 3 if 64 < size <= 128 else 4)


def _check_name(family: str) -> None:
    if family not in FAMILIES:
        raise ValueError(f"There is no drawn family {family!r}. Choose one of: {', '.join(FAMILIES)}.")


def write_family(
    family: str,
    folder: Path,
    *,
    count: int,
    size: int = 128,
    start: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draws pictures `start` to `start + count - 1` of a family into a folder as PNG files.

    Files are named by family and zero-padded index, such as `cats-00042.png`. Creates the folder where it is
    missing and overwrites files of the same name. `on_progress(done, count)` is called after each picture.
    Returns the paths in order of index. Raises ValueError as `draw` does.
    """
    _check_name(family)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for done, index in enumerate(range(start, start + count), start=1):
        path = folder / f"{family}-{index:05d}.png"
        draw(family, index, size).save(path)
        paths.append(path)
        if on_progress is not None:
            on_progress(done, count)
    return paths
