"""Pictograms on plain grounds: what the starter trained on Noto Emoji has seen.

The sets are read from a folder given by the user (`sources.read_set`); the choice below says which of their
drawings make up a family that one small network can learn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engines.errors import DatasetError
from engines.starters.drawings.paint import Colour, Dice, mix
from engines.starters.drawings.palette import GROUNDS, distance
from engines.starters.text_to_image.sources import MissingSource, read_set

Row = Mapping[str, str]

MIN_CONTRAST = 80.0  # between a ground and the mean colour of what stands on it, of 442
SHARE = 0.96  # of the picture's side that a drawing takes

NOTO = "noto_color"
ATTRIBUTION = {NOTO: "Noto Emoji, Google LLC"}


@dataclass(frozen=True, kw_only=True)
class Pictograms:
    """A family of pictograms: `count` pictures are composed of the drawings that `keep` accepts.

    A drawing occurs as often as any other, on grounds drawn by lot. All have the same size and
    place: a small network learns eyes and mouths far sooner where they are always found in the same spot.
    """

    name: str
    sets: tuple[str, ...]
    keep: Callable[[Row], bool]
    count: int
    seed: int
    licence: str = "Apache-2.0"

    @property
    def attributions(self) -> tuple[str, ...]:
        """Whom to name beside them."""
        return tuple(ATTRIBUTION[name] for name in self.sets)

    def write(self, folder: Path, *, size: int, images: Path | None) -> list[Path]:
        """Compose the pictures into `folder` as RGB PNG files of `size` x `size` pixels.

        `images` is the folder of the sets. Raises DatasetError where it is not given or lacks a set.
        """
        if images is None:
            raise DatasetError("This starter is made of pictograms. Say where they lie: --images DIR.")
        try:
            tones = self._tones(images)
        except MissingSource as error:
            raise DatasetError(str(error)) from error
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for index in range(self.count):
            dice = Dice(self.seed, index)
            path = folder / f"{self.name}-{index:05d}.png"
            compose(between(tones[index % len(tones)], dice), dice, size).save(path)
            paths.append(path)
        return paths

    def _tones(self, images: Path) -> list[list[Image.Image]]:
        """The chosen drawings, those that differ in skin tone only together."""
        texts: list[str] = []

        def keep(row: Row) -> bool:
            if chosen := self.keep(row):
                texts.append(row["text"].partition(":")[0])
            return chosen

        tones: dict[str, list[Image.Image]] = {}
        for name in self.sets:
            for _, image in read_set(images, name, keep):
                tones.setdefault(texts[-1], []).append(image)
        return list(tones.values())


def between(tones: Sequence[Image.Image], dice: Dice) -> Image.Image:
    """A drawing whose colours lie between those of two of its tones (mode RGBA, of the same size).

    Six tones on fourteen grounds stand apart, and between what stands apart a network paints patches of both;
    what goes over into each other it paints cleanly.
    """
    return Image.blend(dice.pick(tones), dice.pick(tones), dice.between(0, 1))


def compose(drawing: Image.Image, dice: Dice, size: int) -> Image.Image:
    """The drawing (mode RGBA) on a plain ground that it stands out from: RGB, `size` x `size` pixels."""
    mean = _mean_colour(drawing)
    grounds = [colour for colour, _ in GROUNDS if distance(colour, mean) > MIN_CONTRAST]
    ground = mix(dice.pick(grounds), dice.pick(grounds), dice.between(0, 1))
    scale = size * SHARE / max(drawing.size)
    width, height = (round(side * scale) for side in drawing.size)
    # Sharper filters swing beyond the colours at an edge, and a network learns such halos.
    small = drawing.resize((width, height), Image.Resampling.HAMMING)
    picture = Image.new("RGBA", (size, size), (*ground, 255))
    picture.alpha_composite(small, ((size - width) // 2, (size - height) // 2))
    return picture.convert("RGB")


def _mean_colour(drawing: Image.Image) -> Colour:
    """The mean colour of what is not transparent."""
    pixels = np.asarray(drawing, dtype=np.float64).reshape(-1, 4)
    red, green, blue = np.average(pixels[:, :3], axis=0, weights=pixels[:, 3] + 1e-9).round().astype(int)
    return int(red), int(green), int(blue)


# Heads that fill the picture. Busts, which show a kind of hair or a profession, have their eyes elsewhere and
# half as large: a small network learns either well, and both together badly. Beards and wrinkles are there or
# not, and what lies between them is a smudge.
_OTHER_HEADS = ("baby", "bald", "beard", "blond hair", "curly hair", "old", "red hair", "white hair")


def _is_head(row: Row) -> bool:
    return row["subgroup"] == "person" and not any(word in row["text"] for word in _OTHER_HEADS)


PEOPLE = Pictograms(name="people", sets=(NOTO,), keep=_is_head, count=5040, seed=11)
