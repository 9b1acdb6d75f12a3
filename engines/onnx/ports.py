"""What models take and give, and values checked against it: of every family, not of ONNX models alone.

From these descriptions forms are built, chains are judged and values checked. Imports neither torch nor ONNX.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.errors import ModelError

INPUT_KINDS = ("image", "text", "number", "vector", "category")
OUTPUT_KINDS = ("image", "text", "number", "vector", "labels", "boxes", "json")
MAX_TEXT = 10_000


class ValueRefusedError(ModelError):
    """A value is not what an input takes; `input` is its name."""

    def __init__(self, input: str, problem: str) -> None:  # noqa: A002 (what it is called everywhere)
        super().__init__(problem)
        self.input = input


@dataclass(frozen=True, kw_only=True)
class Picture:
    """How a picture becomes a tensor, and back.

    Attributes:
        width, height: the size that the network takes, in pixels; 0: any.
        max_side: what is longer is made smaller before it goes in.
        multiple: sides are filled up to a multiple of this, and the result is cut off again.
        fit: how a picture gets a fixed size: with margins, cut off evenly, or squeezed.
        channels: 3 for RGB, 1 for greys.
        channels_last: NHWC in place of NCHW.
        mean, std: of each channel, with pixels from 0 to 1: the tensor is (pixel - mean) / std.
    """

    width: int = 0
    height: int = 0
    max_side: int = 1024
    multiple: int = 1
    fit: str = "contain"
    channels: int = 3
    channels_last: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, kw_only=True)
class Input:
    """Something that a model takes.

    Attributes:
        name: of the graph's input, and of the form's field.
        kind: one of INPUT_KINDS.
        label, help: what people read.
        min, max: bounds of a number or of a vector's numbers; of a text, of its length.
        step: between numbers; a whole one makes them whole numbers.
        default: what it is where nothing is said; None: it has to be said.
        choices: of a category; its value is one of them, and the graph gets its place.
        length: of a vector.
        picture: of an image.
    """

    name: str
    kind: str
    label: str = ""
    help: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    default: Any = None
    choices: tuple[str, ...] = ()
    length: int = 0
    picture: Picture = field(default_factory=Picture)

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are taken."""
        return self.step is not None and float(self.step).is_integer()


@dataclass(frozen=True, kw_only=True)
class Output:
    """Something that a model gives.

    Attributes:
        name: of the graph's output.
        kind: one of OUTPUT_KINDS.
        label: what people read.
        classes: names of what labels or boxes tell apart, in the order of the network.
        activation: what turns a network's numbers into scores from 0 to 1.
        top: how many labels are told, the best first.
        threshold: boxes with a lower score are left out.
        fractions: whether boxes are told in parts of the picture that went in, not in its pixels.
        picture: of an image.
    """

    name: str
    kind: str
    label: str = ""
    classes: tuple[str, ...] = ()
    activation: str = "none"
    top: int = 5
    threshold: float = 0.3
    fractions: bool = False
    picture: Picture = field(default_factory=Picture)


def check_value(port: Input, value: Any) -> Any:
    """Return a value as the input takes it; None stands for its default. Images are paths and not looked at.

    Raises ValueRefusedError with a sentence for whoever gave the value.
    """
    if value is None:
        value = port.default
    if value is None:
        raise ValueRefusedError(port.name, f"“{_called(port)}” is missing. Say what it is to be.")
    return _CHECKS[port.kind](port, value)


def _called(port: Input) -> str:
    return port.label or port.name


def _check_image(port: Input, value: Any) -> str:
    if not isinstance(value, (str, Path)):
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes a picture. Choose a file.")
    return str(value)


def _check_text(port: Input, value: Any) -> str:
    longest = int(port.max) if port.max is not None else MAX_TEXT
    if not isinstance(value, str) or "\0" in value:
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes a text. Type it again.")
    if len(value) > longest:
        raise ValueRefusedError(
            port.name, f"“{_called(port)}” takes at most {longest} characters. Shorten the text."
        )
    return value


def _check_number(port: Input, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes a number. Type it in digits.")
    if port.is_whole and not float(value).is_integer():
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes a whole number. Leave out the fraction.")
    if (port.min is not None and value < port.min) or (port.max is not None and value > port.max):
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes a number {_bounds(port)}.")
    return int(value) if port.is_whole else float(value)


def _bounds(port: Input) -> str:
    if port.min is not None and port.max is not None:
        return f"from {port.min:g} to {port.max:g}"
    return f"of at least {port.min:g}" if port.min is not None else f"of at most {port.max:g}"


def _check_vector(port: Input, value: Any) -> list[float]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != port.length:
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes {port.length} numbers.")
    return [float(_check_number(port, number)) for number in value]


def _check_category(port: Input, value: Any) -> str:
    if value not in port.choices:
        raise ValueRefusedError(port.name, f"“{_called(port)}” takes one of its choices. Choose one of them.")
    return str(value)


_CHECKS = {
    "image": _check_image,
    "text": _check_text,
    "number": _check_number,
    "vector": _check_vector,
    "category": _check_category,
}
