"""Reads the captioned drawings and the photographs a training starts from.

Torch-free. Each drawing set is a ZIP or an unpacked folder of the same name: ``images/`` and
``metadata.jsonl`` with ``file_name``, ``text`` and ``style``. One-channel pictures are the alpha of a
black drawing.
Photographs lie in ``subjects/<subject>/*.jpg``.
"""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from engines.starters.text_to_image.concepts import Concept, concepts

Array = npt.NDArray[np.uint8]

EMOJI_SETS = {"emoji": "noto_color", "blob emoji": "blob", "line drawing": "noto_line"}
ICON_SET = "phosphor_icons"
ICON_STYLES = ("thin icon", "regular icon", "bold icon", "solid icon")
STYLES = (*EMOJI_SETS, *ICON_STYLES)

# Whole subjects are kept away from every training, so that figures on photographs mean unseen ones.
HELD_OUT_SUBJECTS = ("cat", "clock", "berry_bowl", "rc_car")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """One drawing: premultiplied colour and alpha, or alpha alone where the ink may be chosen."""

    noun: str
    style: str
    image: Image.Image  # mode "RGBA", or "L" for the alpha of a one-colour drawing


class MissingSource(Exception):
    """A drawing set was not found; the message says which and where."""


def read_drawings(folder: Path) -> list[Drawing]:
    """Every drawing of a known concept in ``folder``, duotone icons left out.

    Raises:
        MissingSource: one of the four sets is missing.
    """
    by_emoji = {c.emoji: c for c in concepts().values() if c.emoji}
    by_icon = {c.icon: c for c in concepts().values() if c.icon}
    drawings = []
    for name in EMOJI_SETS.values():
        drawings += list(_read_set(_find(folder, name), by_emoji, tuple(EMOJI_SETS)))
    drawings += list(_read_set(_find(folder, ICON_SET), by_icon, ICON_STYLES))
    return drawings


def read_captions(folder: Path) -> list[str]:
    """The texts of every drawing, known concept or not: what the tokenizer's vocabulary is built from."""
    texts: set[str] = set()
    for name in (*EMOJI_SETS.values(), ICON_SET):
        with _Set(_find(folder, name)) as pictures:
            texts.update(row["text"] for row in pictures.rows())
    return sorted(texts)


def read_set(
    folder: Path, name: str, keep: Callable[[Mapping[str, str]], bool]
) -> Iterator[tuple[str, Image.Image]]:
    """File name and picture (mode "RGBA") of each drawing of the set ``name`` whose row ``keep`` accepts.

    Raises:
        MissingSource: the set is not there.
    """
    with _Set(_find(folder, name)) as pictures:
        for row in pictures.rows():
            if keep(row):
                with Image.open(io.BytesIO(pictures.read(row["file_name"]))) as opened:
                    yield row["file_name"], opened.convert("RGBA")


def list_sha256(folder: Path, name: str) -> str:
    """SHA-256 of the list of a drawing set (`metadata.jsonl`): what a lineage knows the set by.

    Raises:
        MissingSource: the set is not there.
    """
    with _Set(_find(folder, name)) as pictures:
        return hashlib.sha256(pictures.read("metadata.jsonl")).hexdigest()


def read_photographs(folder: Path, *, held_out: bool, size: int) -> list[Array]:
    """Photographs ``[H, W, 3]`` whose shorter side is ``size``: of the held-out subjects, or of all others.

    Returns an empty list where the folder has no ``subjects``.
    """
    root = next((p for p in (folder / "subjects", folder.parent / "subjects") if p.is_dir()), None)
    if root is None:
        return []
    photographs = []
    for path in sorted(root.glob("*/*.jpg")):
        if (path.parent.name in HELD_OUT_SUBJECTS) is not held_out:
            continue
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        scale = size / min(image.size)
        width, height = (round(side * scale) for side in image.size)
        photographs.append(np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)))
    return photographs


def _find(folder: Path, name: str) -> Path:
    for root in (folder, folder / "pictograms"):
        for candidate in (root / f"{name}.zip", root / name):
            if candidate.exists():
                return candidate
    raise MissingSource(
        f"{name}.zip is not in {folder} or its pictograms folder. Put it there and start again."
    )


class _Set:
    """A drawing set, in a ZIP or a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zip = zipfile.ZipFile(path) if path.is_file() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.zip:
            self.zip.close()

    def read(self, name: str) -> bytes:
        return self.zip.read(name) if self.zip else (self.path / name).read_bytes()

    def rows(self) -> Iterator[dict[str, str]]:
        for line in self.read("metadata.jsonl").decode("utf-8").splitlines():
            yield json.loads(line)


def _read_set(path: Path, wanted: dict[str, Concept], styles: tuple[str, ...]) -> Iterator[Drawing]:
    seen: set[tuple[str, str]] = set()
    with _Set(path) as pictures:
        for row in pictures.rows():
            concept = wanted.get(row["text"])
            if concept is None or row["style"] not in styles or (concept.noun, row["style"]) in seen:
                continue
            seen.add((concept.noun, row["style"]))
            with Image.open(io.BytesIO(pictures.read(row["file_name"]))) as opened:
                image = opened.convert("L" if opened.mode == "L" else "RGBA")
            yield Drawing(noun=concept.noun, style=row["style"], image=image)
