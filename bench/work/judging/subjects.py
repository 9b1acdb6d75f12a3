"""What LoRAs are judged on: six photographed subjects, a drawn mascot, and a style of icons."""

import io
import json
import random
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bench.work.judging.mascots import MASCOTS, draw_mascot
from bench.work.judging.sheets import contact_sheet
from engines.diffusion.config import Kind
from engines.images import UInt8Array, load_rgb

CANDIDATES = 6
_MASCOT_PICTURES = 12
_STYLE_PICTURES = 20
_SHEET_PICTURES = 9
_SHEET_SIDE = 240

# Surroundings and colours that the starter knows; no photograph was taken there.
_PLACES = (
    "on a meadow", "in the snow", "under a night sky", "in the desert", "at sunset", "in a forest",
    "under water", "on a purple background", "in space", "on a yellow background",
)  # fmt: skip
# Things that are not among the icons which the style is learned from.
_THINGS = (
    "a cat", "a red apple on a white background", "a castle", "a rocket", "a tree on a meadow",
    "a butterfly", "a birthday cake", "a whale", "a guitar", "a lion",
)  # fmt: skip

# The styles among which the learned one is to be found: archive, and its name in the archive.
_STYLES = (
    ("phosphor_icons", "duotone icon"),
    ("noto_color", "emoji"),
    ("blob", "blob emoji"),
    ("noto_line", "line drawing"),
    ("phosphor_icons", "thin icon"),
    ("phosphor_icons", "solid icon"),
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One training: its pictures, its words, and the pictures of others that it must be told from."""

    name: str
    kind: Kind
    keyword: str
    class_word: str
    pictures: Sequence[UInt8Array]
    others: Sequence[Sequence[UInt8Array]]

    @property
    def prompts(self) -> list[str]:
        """Ten prompts that put it in new surroundings."""
        if self.kind == "style":
            return [f"{thing} in the style of {self.keyword}" for thing in _THINGS]
        return [f"{self.keyword} {self.class_word} {place}" for place in _PLACES]

    @property
    def plain_prompts(self) -> list[str]:
        """The same without its keyword."""
        if self.kind == "style":
            return list(_THINGS)
        return [f"a {self.class_word} {place}" for place in _PLACES]

    def candidates(self, chance: random.Random) -> list[UInt8Array]:
        """Six pictures to choose from, the right one first: photographs, or sheets of styles."""
        if self.kind == "style":
            shown = [chance.sample(list(some), _SHEET_PICTURES) for some in (self.pictures, *self.others)]
            return [contact_sheet(pictures, _SHEET_SIDE) for pictures in shown]
        others = chance.sample(list(self.others), CANDIDATES - 1)
        return [chance.choice(list(some)) for some in (self.pictures, *others)]


# Folder below `subjects/`, kind, keyword and what it is.
_PHOTOGRAPHED: tuple[tuple[str, Kind, str, str], ...] = (
    ("cat", "character", "customlunavimodel", "cat"),
    ("dog2", "character", "customboskomodel", "dog"),
    ("backpack", "object", "customtarvenmodel", "backpack"),
    ("rc_car", "object", "customkipremodel", "car"),
    ("clock", "object", "customzolimamodel", "clock"),
    ("vase", "object", "customfenouxmodel", "vase"),
)


def read_subjects(images: Path, names: Sequence[str] = ()) -> list[Subject]:
    """Return the eight subjects, or those of these names.

    `images` holds `subjects/<name>/*.jpg` and the drawing sets as ZIPs, directly or in `pictograms/`. Raises
    FileNotFoundError that names what is missing.
    """
    found = [*_photographed(images), _mascot(), _style(images)]
    return [subject for subject in found if not names or subject.name in names]


def _photographed(images: Path) -> list[Subject]:
    folders = {path.name: path for path in sorted((images / "subjects").glob("*")) if path.is_dir()}
    missing = [name for name, *_rest in _PHOTOGRAPHED if name not in folders]
    if missing:
        raise FileNotFoundError(f"{images} lacks the photographs of {', '.join(missing)} below subjects/.")
    photographs = {
        name: [np.asarray(load_rgb(path)) for path in sorted(folder.glob("*.jpg"))]
        for name, folder in folders.items()
    }
    return [
        Subject(
            name=name,
            kind=kind,
            keyword=keyword,
            class_word=class_word,
            pictures=photographs[name],
            others=[photographs[other] for other in photographs if other != name],
        )
        for name, kind, keyword, class_word in _PHOTOGRAPHED
    ]


def _mascot() -> Subject:
    drawn = [
        [draw_mascot(mascot, 100 * number + pose) for pose in range(_MASCOT_PICTURES)]
        for number, mascot in enumerate(MASCOTS)
    ]
    return Subject(
        name="mascot",
        kind="character",
        keyword="customgrumlomodel",
        class_word="monster",
        pictures=drawn[0],
        others=drawn[1:],
    )


def _style(images: Path) -> Subject:
    read = [_icons(images, archive, style) for archive, style in _STYLES]
    return Subject(
        name="duotone",
        kind="style",
        keyword="customduovamodel",
        class_word="icon",
        pictures=read[0][:_STYLE_PICTURES],
        others=read[1:],
    )


def _icons(images: Path, archive: str, style: str) -> list[UInt8Array]:
    """So many drawings of a style as a training of one takes, chosen by a fixed seed, on white."""
    found = [path for folder in (images, images / "pictograms") for path in folder.glob(f"{archive}.zip")]
    if not found:
        raise FileNotFoundError(f"{images} lacks {archive}.zip.")
    with zipfile.ZipFile(found[0]) as opened:
        rows = [json.loads(line) for line in opened.read("metadata.jsonl").splitlines()]
        names = sorted(row["file_name"] for row in rows if row["style"] == style)
        chosen = random.Random(style).sample(names, _STYLE_PICTURES)
        return [_on_white(Image.open(io.BytesIO(opened.read(name)))) for name in chosen]


def _on_white(drawing: Image.Image) -> UInt8Array:
    """A drawing of one channel is the ink itself."""
    if drawing.mode == "L":
        return np.asarray(ImageOps.invert(drawing).convert("RGB"))
    drawing = drawing.convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    return np.asarray(Image.alpha_composite(white, drawing).convert("RGB"))
