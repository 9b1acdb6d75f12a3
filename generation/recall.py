"""Settings that a picture, or a copied text, brings along: back into the form of Text to Image.

Read are the studio's own records and the text that Stable Diffusion web UIs write ("parameters").
"""

import math
import re
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from PIL import Image

from accounts.models import User
from catalog.selectors import find_base, find_trained
from engines.provenance import Provenance, read_parameters, read_record
from generation.exceptions import StartRefusedError
from generation.prompts import MAX_LENGTH
from generation.sizes import nearest_ratio, resolutions

FORMATS = ("PNG", "JPEG", "WEBP")
_NEGATIVE = "Negative prompt:"
# `Name: value` pairs on one line, the way they are written; values may stand in quotes.
_PAIR = re.compile(r'\s*([A-Za-z][\w /-]{0,40}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_READ_ERRORS = (Image.DecompressionBombError, OSError, SyntaxError, ValueError, TypeError, LookupError)


def has_settings(text: str) -> bool:
    """Whether a text that somebody put into the prompt tells more than a prompt."""
    last = text.strip().rpartition("\n")[2]
    return last.startswith("Steps:") and "Seed:" in last


def values_of_file(user: User, file: IO[bytes]) -> dict[str, Any]:
    """Return what a picture's file says of its making, as the form takes it. The pixels are not decoded.

    Raises StartRefusedError where it is no picture, or says nothing.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            record, text = read_record(image), read_parameters(image)
    except _READ_ERRORS as error:
        raise StartRefusedError(_("This file cannot be read. Use a PNG, JPEG or WebP.")) from error
    if record is not None and record.prompt:
        return _values(user, record)
    if not text:
        raise StartRefusedError(
            _("This picture does not say how it was made. Programs that edit pictures often leave that out.")
        )
    return values_of_text(user, text)


def values_of_text(user: User, text: str) -> dict[str, Any]:
    """Return what a text in the manner of Stable Diffusion web UIs says, as the form takes it."""
    lines = text.replace("\0", "").strip().split("\n")
    pairs = dict(_PAIR.findall(lines.pop())) if lines[-1].startswith("Steps:") else {}
    prompt, _negative, negative = "\n".join(lines).partition(_NEGATIVE)
    return _values(user, Provenance(prompt=prompt.strip(), negative_prompt=negative.strip(), settings=pairs))


def _values(user: User, record: Provenance) -> dict[str, Any]:
    told = record.settings
    values: dict[str, Any] = {
        "prompt": record.prompt[: MAX_LENGTH + 1],
        "negative_prompt": record.negative_prompt[: MAX_LENGTH + 1],
        "style": "",  # its words stand in the prompt
        "adapter": "",
        "adapter_strength": 1,
        "count": 1,
        "steps": _number(told, "Steps"),
        "guidance": _number(told, "CFG scale"),
        "seed": _number(told, "Seed"),
    }
    base = find_base(user, _address(record.model))
    if base is not None:
        values["base"] = base.model.address
    adapter = find_trained(user, _address(str(told.get("Lora", ""))))
    if adapter is not None:
        values |= {"adapter": adapter.model.address, "adapter_strength": _number(told, "Lora strength")}
    return values | _size(str(told.get("Size", "")), base.resolution if base else None)


def _size(text: str, side: int | None) -> dict[str, Any]:
    """The ratio, and of what the base offers the resolution, that are nearest to a size like 512x768."""
    found = re.fullmatch(r"(\d{1,5})\s*x\s*(\d{1,5})", text.strip())
    if found is None or not all(map(int, found.groups())):
        return {}
    width, height = map(int, found.groups())
    values: dict[str, Any] = {"ratio": nearest_ratio(width, height)}
    if side:
        area_side = math.sqrt(width * height)
        values["resolution"] = min(resolutions(side), key=lambda one: abs(one - area_side))
    return values


def _address(text: str) -> str:
    """`owner/name` of a version's name, `owner/name v3`."""
    return text.partition(" ")[0]


def _number(told: Mapping[str, Any], name: str) -> float | int | None:
    """The number under a name, None where there is none; what is beyond the form's limits it says itself."""
    try:
        number = float(told[name])
    except (KeyError, ValueError, TypeError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
