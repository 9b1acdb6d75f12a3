"""Numbered pages of pictures with lettered choices, without names, and the key that is kept apart."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engines.images import UInt8Array

LETTERS = "ABCDEF"
_SIDE = 256  # of the picture that is judged
_CHOICE = 124  # of a picture to choose
_MARGIN = 12
_LINE = 20
_COLUMNS, _ROWS = 2, 4
_FONT = ImageFont.load_default(15)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A picture uint8 `[H, W, 3]`, and captions or pictures of which the first is the right one.

    `group` is what right answers are counted by; `name` says in the key what it is.
    """

    picture: UInt8Array
    choices: Sequence[str] | Sequence[UInt8Array]
    group: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The right letter for a number, and what only the key knows of it."""

    item: int
    right: str
    group: str
    name: str


def write_sheets(questions: Sequence[Question], folder: Path, *, title: str, seed: int = 0) -> list[Answer]:
    """Write pages, an empty form for the answers and the key; return the key.

    Questions and choices come in an order drawn from `seed`. Pages carry numbers and letters alone: give them
    and the form to whoever judges, and keep `<title>-key.json` to yourself.
    """
    chance = random.Random(seed)
    order = chance.sample(range(len(questions)), len(questions))
    folder.mkdir(parents=True, exist_ok=True)
    cells, key = [], []
    for item, number in enumerate(order, start=1):
        question = questions[number]
        shuffled = chance.sample(range(len(question.choices)), len(question.choices))
        right = LETTERS[shuffled.index(0)]
        key.append(Answer(item=item, right=right, group=question.group, name=question.name))
        cells.append(_cell(item, question.picture, [question.choices[place] for place in shuffled]))
    on_a_page = _COLUMNS * _ROWS
    for page, first in enumerate(range(0, len(cells), on_a_page), start=1):
        _page(cells[first : first + on_a_page]).save(folder / f"{title}-{page:02d}.png")
    with (folder / f"{title}-answers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("item", "answer"), *((answer.item, "") for answer in key)])
    text = json.dumps([asdict(answer) for answer in key], indent=1, ensure_ascii=False)
    (folder / f"{title}-key.json").write_text(text + "\n", encoding="utf-8")
    return key


def read_key(path: Path) -> list[Answer]:
    """Read what `write_sheets` wrote."""
    return [Answer(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def read_answers(path: Path) -> dict[int, str]:
    """Return the letter for each number of a filled form; numbers without a letter are left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {int(row["item"]): row["answer"].strip().upper() for row in rows if row["answer"].strip()}


def contact_sheet(pictures: Sequence[UInt8Array], side: int, columns: int = 3) -> UInt8Array:
    """Several pictures as one, `side` pixels wide: what stands for a style."""
    cell = side // columns
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (cell * columns, cell * rows), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(_square(picture, cell), (place % columns * cell, place // columns * cell))
    return np.asarray(sheet)


def _cell(item: int, picture: UInt8Array, choices: Sequence[Any]) -> Image.Image:
    width = _SIDE + 3 * (_CHOICE + _MARGIN) + 2 * _MARGIN
    cell = Image.new("RGB", (width, _SIDE + 2 * _LINE + _MARGIN), "white")
    draw = ImageDraw.Draw(cell)
    draw.text((_MARGIN, 0), str(item), "black", _FONT)
    cell.paste(_square(picture, _SIDE), (_MARGIN, _LINE))
    left = _SIDE + 3 * _MARGIN
    for place, (letter, choice) in enumerate(zip(LETTERS, choices, strict=False)):
        if isinstance(choice, str):
            text = _wrapped(f"{letter}  {choice}")
            draw.multiline_text((left, _LINE + place * 3 * _LINE), text, "black", _FONT)
            continue
        x = left + place % 3 * (_CHOICE + _MARGIN)
        y = place // 3 * (_CHOICE + _LINE)
        draw.text((x, y), letter, "black", _FONT)
        cell.paste(_square(choice, _CHOICE), (x, y + _LINE))
    return cell


def _page(cells: Sequence[Image.Image]) -> Image.Image:
    width, height = cells[0].width + _MARGIN, cells[0].height + _MARGIN
    rows = -(-len(cells) // _COLUMNS)
    page = Image.new("RGB", (_COLUMNS * width + _MARGIN, rows * height + _MARGIN), "white")
    for place, cell in enumerate(cells):
        page.paste(cell, (_MARGIN + place % _COLUMNS * width, _MARGIN + place // _COLUMNS * height))
    return page


def _square(picture: UInt8Array, side: int) -> Image.Image:
    """The picture within a square, whole, on grey."""
    image = Image.fromarray(picture)
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    method = Image.Resampling.LANCZOS
    square = Image.new("RGB", (side, side), "lightgrey")
    square.paste(image.resize(size, method), ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _wrapped(caption: str, width: int = 44) -> str:
    lines = [""]
    for word in caption.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("    ")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1].strip() else f"{lines[-1]}{word}"
    return "\n".join(lines)
