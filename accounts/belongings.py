"""Taking everything along: all that is somebody's, as files in one ZIP.

Each app tells in `AppConfig.ready` what of it belongs to a person. Texts are JSON with a row a line, so that
a program can read them without holding them all; what was stored as a file comes as that file. What exists
only to run the studio (queues, caches, keys of sessions, hashes of passwords) is nobody's belonging, and the
secrets of second steps stay here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import User

# A file's name below its part's folder, and its content in pieces.
Entry = tuple[str, Iterable[bytes]]

_PIECE = 1 << 20
_AT_ONCE = 500
_encode = DjangoJSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one app keeps of people: a folder of the ZIP.

    `describe` returns a line a kind of thing there is ("3 datasets"), none where there is nothing. `files`
    yields entries while they are sent; names are unique below the part's own.
    """

    name: str
    title: str | Promise
    describe: Callable[[User], Sequence[str]]
    files: Callable[[User], Iterator[Entry]]


_parts: dict[str, Part] = {}


def register_part(part: Part) -> None:
    """Have a part taken along; one that is registered again replaces itself."""
    _parts[part.name] = part


def parts() -> list[Part]:
    """Return all parts, in the order of the apps."""
    return list(_parts.values())


def everything_of(user: User, names: Iterable[str] = ()) -> Iterator[Entry]:
    """Yield every file of these parts (of all parts when none is named), after a note that explains them."""
    wanted = list(names) or list(_parts)
    chosen = [part for part in parts() if part.name in wanted]
    yield "README.txt", [_note(user, chosen).encode()]
    for part in chosen:
        for name, content in part.files(user):
            yield f"{part.name}/{name}", content


def tell_counts(counted: Iterable[tuple[QuerySet[Any], Any]]) -> list[str]:
    """Return a text for each kind of rows that there are any of.

    With the rows comes what to say: an `ngettext_lazy` over `count`.
    """
    found = [(rows.count(), text) for rows, text in counted]
    return [str(text % {"count": count}) for count, text in found if count]


def json_lines(rows: QuerySet[Any], *fields: str, **renamed: Any) -> Iterator[bytes]:
    """Yield rows as JSON, one a line. `renamed` are expressions by the name they get, as in `values`."""
    for row in rows.values(*fields, **renamed).iterator(chunk_size=_AT_ONCE):
        yield _encode(row).encode() + b"\n"


def stored_file(name: str, key: str) -> Iterator[Entry]:
    """Yield the stored file `key` under this name; nothing where a row has none or it is gone meanwhile."""
    try:
        stored = default_storage.open(key) if key else None
    except FileNotFoundError:
        return
    if stored is not None:
        with stored:
            yield name, iter(lambda: stored.read(_PIECE), b"")


def stored_folder(name: str, prefix: str) -> Iterator[Entry]:
    """Yield every file below a prefix of the storage, under names below this one."""
    try:
        folders, files = default_storage.listdir(prefix) if prefix else ([], [])
    except FileNotFoundError:
        return
    for file in sorted(files):
        yield from stored_file(f"{name}/{file}", f"{prefix}/{file}")
    for folder in sorted(folders):
        yield from stored_folder(f"{name}/{folder}", f"{prefix}/{folder}")


def _note(user: User, chosen: Sequence[Part]) -> str:
    lines = [
        _("What belongs to %(email)s in this studio.") % {"email": user.email},
        "",
        *(f"{part.name}/: {part.title}. {', '.join(part.describe(user))}".rstrip() for part in chosen),
        "",
        _("Files that end with .jsonl hold one JSON object a line. Times are in UTC."),
    ]
    return "\n".join(lines) + "\n"
