"""The header of a stranger's safetensors file, read by the letter of the format. No torch here.

The library accepts some files that the format forbids: two tensors of one name, tensors of no size, a header
as large as the machine's memory. Format: https://github.com/huggingface/safetensors#format
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.errors import ModelError

MAX_HEADER_BYTES = 100 << 20
MAX_TENSORS = 100_000
MAX_METADATA = 1000
_WIDTHS: Mapping[str, int] = MappingProxyType(
    {
        "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
        "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a safetensors file says of itself: the tensors' shapes by name, and its metadata."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(prod(shape) for shape in self.shapes.values())


def looks_like_safetensors(path: Path) -> bool:
    """Whether a file begins as the format does: the header's length, then a JSON object."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:9] == b"{"


def read_strictly(path: Path) -> Header:
    """Read a file's header. Raises ModelError where anything in it is not as the format demands."""
    header, data_bytes = _read_json(path)
    metadata = header.pop("__metadata__", {})
    if not _is_text_map(metadata):
        raise _broken("its metadata is not a list of texts")
    if not 0 < len(header) <= MAX_TENSORS:
        raise _broken("it holds no tensors, or too many")
    shapes: dict[str, tuple[int, ...]] = {}
    places: list[tuple[int, int]] = []
    for name, entry in header.items():
        shapes[name], place = _tensor(name, entry)
        places.append(place)
    places.sort()
    follows = all(before[1] == after[0] for before, after in pairwise(places))
    if not follows or places[0][0] != 0 or places[-1][1] != data_bytes:
        raise _broken("its tensors overlap, leave gaps or do not fill the file")
    return Header(shapes=shapes, metadata=metadata)


def _read_json(path: Path) -> tuple[dict[str, Any], int]:
    """The header's JSON and how many bytes stand behind it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise _broken("its header is longer than the file or than is allowed")
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _broken("its header cannot be read, or names something twice") from error
    if not isinstance(header, dict):
        raise _broken("its header is not an object")
    return header, size - 8 - length


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values


def _is_text_map(values: Any) -> bool:
    return (
        isinstance(values, dict)
        and len(values) <= MAX_METADATA
        and all(isinstance(value, str) for value in values.values())
    )


def _tensor(name: str, entry: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Shape and place of one tensor."""
    try:
        shape = tuple(entry["shape"])
        start, end = entry["data_offsets"]
        width = _WIDTHS[entry["dtype"]]
    except (TypeError, KeyError, ValueError) as error:
        raise _broken(f"the tensor {name[:80]!r} is described wrongly") from error
    numbers = (*shape, start, end)
    if not all(type(number) is int and 0 <= number < 1 << 48 for number in numbers) or len(shape) > 8:
        raise _broken(f"the tensor {name[:80]!r} is described wrongly")
    if prod(shape) == 0:
        raise _broken(f"the tensor {name[:80]!r} is empty")
    if end - start != prod(shape) * width:
        raise _broken(f"the tensor {name[:80]!r} has another size than its shape")
    return shape, (start, end)


def _broken(problem: str) -> ModelError:
    return ModelError(f"The safetensors file is not sound: {problem}. Get it again from where it was made.")
