"""What a model takes and gives: the typed inputs and outputs of its manifest. Imports neither torch nor ONNX.

A manifest lists `inputs` and `outputs`, each an object with a `name` (of the graph's input or output), a
`kind` and a `label`. What else may stand there depends on the kind; docs/catalog.md has the table.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import ModelError
from engines.manifest import FORMAT, MODEL_FILE
from engines.onnx.ports import (
    INPUT_KINDS,
    OUTPUT_KINDS,
    Input,
    Output,
    Picture,
    ValueRefusedError,
    check_value,
)

ONNX = "onnx"
WEIGHTS_FILE = "model.onnx"
FITS = ("contain", "cover", "stretch")
ACTIVATIONS = ("none", "softmax", "sigmoid")
MAX_PORTS = 16
MAX_CHOICES = 10_000
MAX_VECTOR = 100_000
MAX_SIDE = 4096
_MAX_MANIFEST_BYTES = 1 << 20


class ManifestError(ModelError):
    """A manifest says something that cannot be; `field` is the path of what is wrong, `inputs[0].min`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{MODEL_FILE}, {field}: {problem}")
        self.field = field


@dataclass(frozen=True, kw_only=True)
class OnnxManifest:
    """The manifest of an ONNX model: `content` is the JSON as it stands in the file."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    files: Mapping[str, str]
    content: Mapping[str, Any]


def read_onnx_manifest(folder: Path) -> OnnxManifest:
    """Read `folder`/model.json. Raises ManifestError that names what is wrong, else ModelError."""
    path = folder / MODEL_FILE
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise ModelError(f"{MODEL_FILE} is larger than 1 MB. Shorten it.")
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{MODEL_FILE} cannot be read: it is to be one JSON object. Write it anew."
        ) from error
    return parse_onnx_manifest(content)


def parse_onnx_manifest(content: Any) -> OnnxManifest:
    """Return what a manifest says. Raises ManifestError that names the field that is wrong."""
    if not isinstance(content, dict):
        raise ManifestError("(whole)", "has to be a JSON object.")
    if content.get("format") != FORMAT:
        raise ManifestError("format", f"has to be {FORMAT}.")
    if content.get("family") != ONNX:
        raise ManifestError("family", f"has to be “{ONNX}”.")
    files = content.get("files")
    if not isinstance(files, dict) or not isinstance(files.get(WEIGHTS_FILE), str):
        raise ManifestError("files", f"has to name {WEIGHTS_FILE} with its SHA-256.")
    if set(files) != {WEIGHTS_FILE}:
        raise ManifestError("files", f"may name {WEIGHTS_FILE} only: a model is a single file.")
    return OnnxManifest(
        inputs=parse_inputs(content.get("inputs")),
        outputs=parse_outputs(content.get("outputs")),
        files=dict(files),
        content=content,
    )


def parse_inputs(values: Any) -> tuple[Input, ...]:
    """Return the inputs that a manifest lists. Raises ManifestError."""
    return tuple(_input(values) for values in _ports("inputs", values))


def parse_outputs(values: Any) -> tuple[Output, ...]:
    """Return the outputs that a manifest lists. Raises ManifestError."""
    return tuple(_output(values) for values in _ports("outputs", values))


class _Fields:
    """One object of a manifest, read field by field; what nobody asked for is named as unknown."""

    def __init__(self, path: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise ManifestError(path, "has to be a JSON object.")
        self.path, self._values, self._asked = path, values, set[str]()

    def wrong(self, name: str, problem: str) -> ManifestError:
        return ManifestError(f"{self.path}.{name}", problem)

    def take(self, name: str) -> Any:
        self._asked.add(name)
        return self._values.get(name)

    def text(self, name: str, longest: int = 300, *, needed: bool = False) -> str:
        value = self.take(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            raise self.wrong(name, f"has to be a text of 1 to {longest} characters in one line.")
        return value

    def one_of(self, name: str, known: Sequence[str], otherwise: str | None = None) -> str:
        value = self.take(name)
        if value is None and otherwise is not None:
            return otherwise
        if value not in known:
            raise self.wrong(name, f"has to be one of {', '.join(known)}.")
        return str(value)

    def number(self, name: str) -> float | None:
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.wrong(name, "has to be a number.")
        return value

    def whole(self, name: str, low: int, high: int, otherwise: int) -> int:
        value = self.number(name)
        if value is None:
            return otherwise
        if not float(value).is_integer() or not low <= value <= high:
            raise self.wrong(name, f"has to be a whole number from {low} to {high}.")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "has to be true or false.")
        return bool(value)

    def names(self, name: str) -> tuple[str, ...]:
        value = self.take(name)
        if value is None:
            return ()
        is_fine = isinstance(value, list) and 0 < len(value) <= MAX_CHOICES
        if not is_fine or not all(isinstance(one, str) and 0 < len(one) <= 200 for one in value):
            raise self.wrong(name, f"has to be a list of 1 to {MAX_CHOICES} names.")
        if len(set(value)) != len(value):
            raise self.wrong(name, "names something twice.")
        return tuple(value)

    def needed_names(self, name: str, what: str) -> tuple[str, ...]:
        names = self.names(name)
        if not names:
            raise self.wrong(name, f"is missing: {what}.")
        return names

    def numbers(self, name: str, lengths: Sequence[int], otherwise: tuple[float, ...]) -> tuple[float, ...]:
        value = self.take(name)
        if value is None:
            return otherwise
        is_list = isinstance(value, list) and len(value) in lengths
        if not is_list or not all(type(one) in {int, float} and math.isfinite(one) for one in value):
            raise self.wrong(name, f"has to be a list of {' or '.join(map(str, lengths))} numbers.")
        return tuple(float(one) for one in value)

    def finish(self) -> None:
        unknown = sorted(self._values.keys() - self._asked)
        if unknown:
            raise self.wrong(str(unknown[0])[:60], "means nothing here. Leave it out, or look for a slip.")


def _ports(name: str, values: Any) -> list[_Fields]:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_PORTS:
        raise ManifestError(name, f"has to be a list of 1 to {MAX_PORTS} objects.")
    ports = [_Fields(f"{name}[{place}]", one) for place, one in enumerate(values)]
    seen = set[str]()
    for port in ports:
        called = port.text("name", 60, needed=True)
        if called in seen:
            raise port.wrong("name", "stands in the list twice.")
        seen.add(called)
    return ports


def _input(values: _Fields) -> Input:
    kind = values.one_of("kind", INPUT_KINDS)
    extras = _input_extras(values, kind)
    port = Input(
        name=values.text("name", 60, needed=True),
        kind=kind,
        label=values.text("label", 80),
        help=values.text("help"),
        default=None if kind == "image" else values.take("default"),
        **extras,
    )
    values.finish()
    if port.default is not None:
        try:
            check_value(port, port.default)
        except ValueRefusedError as error:
            raise values.wrong("default", str(error)) from error
    return port


def _input_extras(values: _Fields, kind: str) -> dict[str, Any]:
    """What an input of this kind has besides name, label, help and default."""
    if kind == "image":
        return {"picture": _picture(values)}
    if kind == "category":
        return {"choices": values.needed_names("choices", "list what can be chosen")}
    extras: dict[str, Any] = {"min": values.number("min"), "max": values.number("max")}
    _check_bounds(values, extras)
    if kind == "text":
        return extras
    extras["step"] = values.number("step")
    if extras["step"] is not None and extras["step"] <= 0:
        raise values.wrong("step", "has to be above 0.")
    if kind == "vector":
        extras["length"] = values.whole("length", 1, MAX_VECTOR, 0)
        if not extras["length"]:
            raise values.wrong("length", "is missing: say how many numbers the vector has.")
    return extras


def _check_bounds(values: _Fields, bounds: Mapping[str, float | None]) -> None:
    low, high = bounds["min"], bounds["max"]
    if low is not None and high is not None and low > high:
        raise values.wrong("min", "is above max.")


def _output(values: _Fields) -> Output:
    kind = values.one_of("kind", OUTPUT_KINDS)
    extras: dict[str, Any] = {}
    if kind in {"labels", "boxes"}:
        extras = {"classes": values.needed_names("classes", "list the names of what is told apart")}
    if kind == "labels":
        extras["activation"] = values.one_of("activation", ACTIVATIONS, "softmax")
        extras["top"] = values.whole("top", 1, 100, 5)
    if kind == "boxes":
        threshold = values.number("threshold")
        extras["threshold"] = 0.3 if threshold is None else threshold
        extras["fractions"] = values.flag("fractions")
    if kind == "image":
        extras["picture"] = _picture(values)
    port = Output(
        name=values.text("name", 60, needed=True), kind=kind, label=values.text("label", 80), **extras
    )
    values.finish()
    return port


def _picture(values: _Fields) -> Picture:
    channels = values.whole("channels", 1, 3, 3)
    if channels == 2:
        raise values.wrong("channels", "has to be 3 for colour or 1 for greys.")
    width, height = (values.whole(side, 1, MAX_SIDE, 0) for side in ("width", "height"))
    if bool(width) != bool(height):
        raise values.wrong("height", "has to stand beside width, or neither.")
    std = values.numbers("std", (1, channels), (1.0,))
    if not all(std):
        raise values.wrong("std", "may not hold 0.")
    return Picture(
        width=width,
        height=height,
        max_side=values.whole("max_side", 1, MAX_SIDE, 1024),
        multiple=values.whole("multiple", 1, 256, 1),
        fit=values.one_of("fit", FITS, "contain"),
        channels=channels,
        channels_last=values.flag("channels_last"),
        mean=values.numbers("mean", (1, channels), (0.0,)),
        std=std,
    )
