"""What a version takes and gives, in kinds: told by its manifest, or known of its family."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.models import ModelVersion
from catalog.registry import run_family
from engines.manifest import FAMILIES, LORA, TEXT_TO_IMAGE
from engines.onnx.manifest import ONNX, parse_inputs, parse_outputs
from engines.onnx.ports import Input, Output

# Families that the catalog runs itself; others come with `catalog.registry.register_run_family`.
OWN_FAMILIES = frozenset({ONNX, *FAMILIES})
SEED = "seed"
TRUNCATION = "truncation_psi"
PROMPT = "prompt"
NEGATIVE_PROMPT = "negative_prompt"
STRENGTH = "strength"
MAX_PROMPT = 2000  # signs
MAX_SEED = (1 << 32) - 1

_PICTURE = (Output(name="picture", kind="image", label="Picture"),)
_FROM_SEEDS = (
    Input(
        name=SEED,
        kind="number",
        label="Seed",
        help="The number that the picture grows from. The same seed gives the same picture again.",
        min=0,
        max=MAX_SEED,
        step=1,
        default=0,
    ),
    Input(
        name=TRUNCATION,
        kind="number",
        label="Truncation",
        help="Low: safe and alike. 1: all that the model has learned. Higher: daring, often broken.",
        min=0,
        max=1.5,
        step=0.05,
        default=1.0,
    ),
)
_FROM_TEXT = (
    Input(name=PROMPT, kind="text", label="Prompt", help="What the picture should show.", max=MAX_PROMPT),
    Input(
        name=NEGATIVE_PROMPT,
        kind="text",
        label="Negative prompt",
        help="What it should not show. It may stay empty.",
        max=MAX_PROMPT,
        default="",
    ),
    Input(
        name="picture",
        kind="image",
        label="Picture to start from",
        help="Without one, it starts from nothing but the prompt.",
        default="",
    ),
    Input(
        name=STRENGTH,
        kind="number",
        label="How much to change",
        help="Counts where it starts from a picture: low keeps it, 1 forgets it.",
        min=0.05,
        max=1,
        step=0.05,
        default=0.6,
    ),
    Input(
        name=SEED,
        kind="number",
        label="Seed",
        help="The number that the picture grows from. The same seed gives the same picture again.",
        min=0,
        max=MAX_SEED,
        step=1,
        default=0,
    ),
)
_OF_FAMILY: dict[str, tuple[tuple[Input, ...], tuple[Output, ...]]] = {
    **dict.fromkeys(FAMILIES, (_FROM_SEEDS, _PICTURE)),
    **dict.fromkeys((TEXT_TO_IMAGE, LORA), (_FROM_TEXT, _PICTURE)),
}


def inputs_of(version: ModelVersion) -> tuple[Input, ...]:
    """Return what a version takes, in the order of its form."""
    return ports_of(version.manifest)[0]


def outputs_of(version: ModelVersion) -> tuple[Output, ...]:
    """Return what a version gives."""
    return ports_of(version.manifest)[1]


def ports_of(manifest: Mapping[str, Any]) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    """Return the inputs and outputs that a manifest tells, or that go with its family; none of one unknown.

    Raises ManifestError where what it tells cannot be.
    """
    if "inputs" in manifest:
        return parse_inputs(manifest["inputs"]), parse_outputs(manifest.get("outputs"))
    return _OF_FAMILY.get(str(manifest.get("family")), ((), ()))


def kinds_of(manifest: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the kinds of inputs and of outputs, each once: what the directory filters by.

    Of a family whose models ask for something, what they ask for; what may be left out is not told.
    """
    inputs, outputs = ports_of(manifest)
    if "inputs" not in manifest:
        inputs = tuple(port for port in inputs if port.default is None) or inputs
    return _once(port.kind for port in inputs), _once(port.kind for port in outputs)


def _once(kinds: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(kinds))


def link(outputs: Sequence[Output], inputs: Sequence[Input]) -> tuple[Output, Input] | None:
    """Return which output of one model goes into which input of the next; None where no kinds are the same.

    Pictures go before everything else, then the order of the outputs counts.
    """
    for output in sorted(outputs, key=lambda port: port.kind != "image"):
        for port in inputs:
            if port.kind == output.kind:
                return output, port
    return None


def is_runnable(version: ModelVersion) -> bool:
    """Whether it can be run here: of a family that is known, with at most one picture to give."""
    pictures = sum(port.kind == "image" for port in inputs_of(version))
    family = str(version.manifest.get("family"))
    return (family in OWN_FAMILIES or run_family(family) is not None) and pictures <= 1
