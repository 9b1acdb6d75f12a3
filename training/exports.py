"""A dataset as files that other trainers read: pictures, captions in one of the layouts, a note of rights."""

import json
import tempfile
from collections.abc import Iterable, Iterator

from django.core.files.storage import default_storage
from django.db.models import Q
from django.utils.translation import gettext as _

from training.caption_files import METADATA_FILES, Layout, write_csv, write_jsonl
from training.models import Dataset, DatasetImage, People
from training.picture_names import export_names

_AT_ONCE = 500
_PIECE = 256 << 10
_IN_MEMORY = 1 << 20
_WRITERS = {"jsonl": write_jsonl, "csv": write_csv}


def dataset_files(dataset: Dataset, layout: Layout) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield name and content of every file of an exported dataset: the note, the pictures, the captions.

    Captions are as they are kept. A picture whose file is gone meanwhile is left out. Memory stays flat but
    for the pictures' names; a handful of queries for every thousand pictures.
    """
    yield "README.md", [_readme(dataset).encode()]
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as rows:
        for image, name in export_names(pictures_in_order(dataset)):
            try:
                with default_storage.open(image.file) as stored:
                    content = stored.read()
            except FileNotFoundError:
                continue
            yield name, [content]
            if layout == "txt":
                yield from _text_file(image, name)
            else:
                rows.write(json.dumps([name, image.caption]).encode() + b"\n")
        if layout != "txt":
            rows.seek(0)
            kept = ((name, caption) for name, caption in map(json.loads, rows))
            yield METADATA_FILES[layout], _pieces(_WRITERS[layout](kept))


def text_files(dataset: Dataset) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield name and content of the captions alone, a text file for each picture that has one."""
    for image, name in export_names(pictures_in_order(dataset)):
        yield from _text_file(image, name)


def metadata_file(dataset: Dataset, layout: Layout) -> Iterator[bytes]:
    """Yield a metadata.jsonl or metadata.csv with the captions of all pictures, piece by piece."""
    rows = ((name, image.caption) for image, name in export_names(pictures_in_order(dataset)))
    return _pieces(_WRITERS[layout](rows))


def pictures_in_order(dataset: Dataset) -> Iterator[DatasetImage]:
    """Yield a dataset's pictures in the order in which they came, some hundred at a time."""
    pictures = dataset.images.order_by("created_at", "id").only(
        "dataset", "name", "file", "caption", "created_at"
    )
    page = list(pictures[:_AT_ONCE])
    while page:
        yield from page
        last = page[-1]
        later = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, id__gt=last.pk)
        page = list(pictures.filter(later)[:_AT_ONCE])


def _text_file(image: DatasetImage, name: str) -> Iterator[tuple[str, Iterable[bytes]]]:
    # sd-scripts stops at an empty file.
    if image.caption:
        yield f"{name.rpartition('.')[0]}.txt", [image.caption.encode()]


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    waiting = bytearray()
    for line in lines:
        waiting += line.encode()
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _readme(dataset: Dataset) -> str:
    """The note that goes with the pictures, headed like the card of a dataset on model hubs."""
    licence = dataset.licence
    spdx = licence.spdx_id.lower()
    card = ["---", f"license: {spdx or 'other'}", f"pretty_name: {json.dumps(dataset.name)}", "---"]
    people = dict(People.choices).get(dataset.people or People.UNSAID)
    parts = [
        "\n".join(card),
        f"# {dataset.name}",
        _("%(count)s pictures.") % {"count": f"{dataset.picture_count:,}"},
        f"## {_('Licence')}",
        " ".join(filter(None, [licence.name, f"({licence.spdx_id})" if spdx else "", licence.url])),
        f"## {_('Source')}",
        dataset.source_note or _("Not stated."),
        f"## {_('People')}",
        str(people),
    ]
    return "\n\n".join(parts) + "\n"
