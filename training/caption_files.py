"""The layouts in which captions travel with pictures. Pure: bytes and rows.

- Text files, one beside each picture, with its name and the ending `.txt` or `.caption` (kohya's sd-scripts).
  Of several lines sd-scripts reads the first, or with `enable_wildcard` one at random. An empty file stops
  it, so a picture without a caption has none.
- `metadata.jsonl` (the image folders of datasets, which diffusers' scripts read): a JSON object on each line
  with `file_name`, a path below the folder of the file, and `text`.
- `metadata.csv`: the same two columns. Spreadsheets take a cell that begins with = or the like for a formula;
  such a cell gets an apostrophe in front, which is taken off again when the file is read.

A folder may hold metadata.jsonl or metadata.csv, not both: datasets refuses it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from django.utils.translation import gettext as _

from training.exceptions import CaptionRefused

Layout = Literal["txt", "jsonl", "csv"]
METADATA_FILES: dict[Layout, str] = {"jsonl": "metadata.jsonl", "csv": "metadata.csv"}
TEXT_ENDINGS = (".txt", ".caption")
ENDINGS = (*TEXT_ENDINGS, ".jsonl", ".csv")
MAX_TEXT_BYTES = 64 << 10
MAX_METADATA_BYTES = 32 << 20
# What other tools call the two columns; the first is what is written.
_NAME_KEYS = ("file_name", "filename", "image", "file")
_TEXT_KEYS = ("text", "caption", "prompt")
# After OWASP, "CSV Injection": also the wide forms, which spreadsheets in East Asia take for the same.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_MARK = "\ufeff"
# pandas, and so datasets, reads an empty cell as no text at all, at which diffusers' scripts stop.
_EMPTY = " "


@dataclass(frozen=True)
class CaptionRow:
    """A caption, the picture that it names, and where that stands, for messages."""

    file_name: str
    caption: str
    where: str


@dataclass(frozen=True)
class Problem:
    """A file, or a row of one, that was not taken, and why."""

    where: str
    reason: str


@dataclass
class Reading:
    """What files of captions hold, and what in them could not be read."""

    rows: list[CaptionRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def is_caption_file(name: str) -> bool:
    """Whether a file is one of captions, by its ending."""
    return name.lower().endswith(ENDINGS)


def most_bytes(name: str) -> int:
    """Return how long a file of captions may be."""
    return MAX_TEXT_BYTES if name.lower().endswith(TEXT_ENDINGS) else MAX_METADATA_BYTES


def read_captions(name: str, content: bytes) -> Reading:
    """Read one file in the layout that its ending says. A text file names its picture without an ending."""
    reading, ending = Reading(), "." + name.rpartition(".")[2].lower()
    try:
        text = _decoded(name, content)
        if ending in TEXT_ENDINGS:
            reading.rows.append(CaptionRow(name.rpartition(".")[0], text, name))
        elif ending == ".jsonl":
            _read_jsonl(name, text, reading)
        else:
            _read_csv(name, text, reading)
    except CaptionRefused as error:
        reading.problems.append(Problem(name, str(error)))
    return reading


def write_jsonl(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of a metadata.jsonl for pairs of file name and caption."""
    for file_name, caption in rows:
        yield json.dumps({"file_name": file_name, "text": caption}, ensure_ascii=False) + "\n"


def write_csv(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a metadata.csv for pairs of file name and caption, after RFC 4180, harmless to spreadsheets."""
    # Without the mark spreadsheets take UTF-8 for an older encoding; pandas and datasets skip it.
    yield _MARK
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow((_NAME_KEYS[0], _TEXT_KEYS[0]))
    for row in rows:
        writer.writerow([_as_cell(text) for text in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _as_cell(text: str) -> str:
    if not text:
        return _EMPTY
    return f"'{text}" if _FORMULA.match(text) else text


def _from_cell(cell: str) -> str:
    if cell == _EMPTY:
        return ""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _decoded(name: str, content: bytes) -> str:
    if len(content) > most_bytes(name):
        raise CaptionRefused(
            _("This file has more than %(limit)d KB. Split it and import the parts.")
            % {"limit": most_bytes(name) >> 10}
        )
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise CaptionRefused(_("This is not text in UTF-8. Save it in that encoding.")) from error


def _read_jsonl(name: str, text: str, reading: Reading) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = _where(name, number)
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            reading.problems.append(
                Problem(where, _("This line is not JSON. Write one object on each line."))
            )
            continue
        values = {str(key).lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
        file_name, caption = _first(values, _NAME_KEYS), _first(values, _TEXT_KEYS)
        if isinstance(file_name, str) and file_name and isinstance(caption, str):
            reading.rows.append(CaptionRow(file_name, caption, where))
        else:
            reading.problems.append(
                Problem(where, _("This line needs the texts “file_name” and “text”. Add what is missing."))
            )


def _read_csv(name: str, text: str, reading: Reading) -> None:
    head = text.partition("\n")[0]
    # Spreadsheets write what separates in their own country.
    delimiter = max(",;\t", key=head.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [cell.strip().lower() for cell in next(table, [])]
        at_name, at_text = _column(columns, _NAME_KEYS), _column(columns, _TEXT_KEYS)
        if at_name is None or at_text is None:
            raise CaptionRefused(
                _("The first line must name the columns “file_name” and “text”. Add it and import again.")
            )
        for cells in table:
            where = _where(name, table.line_num)
            if len(cells) > max(at_name, at_text) and cells[at_name]:
                row = CaptionRow(_from_cell(cells[at_name]), _from_cell(cells[at_text]), where)
                reading.rows.append(row)
            elif any(cells):
                reading.problems.append(Problem(where, _("This line has too few columns. Complete it.")))
    except csv.Error:
        where = _where(name, table.line_num)
        reading.problems.append(Problem(where, _("This line cannot be read. Check its quotation marks.")))


def _first(values: dict[str, object], keys: tuple[str, ...]) -> object:
    return next((values[key] for key in keys if key in values), None)


def _column(columns: list[str], keys: tuple[str, ...]) -> int | None:
    return next((columns.index(key) for key in keys if key in columns), None)


def _where(name: str, line: int) -> str:
    return _("%(file)s, line %(line)d") % {"file": name, "line": line}
