"""What is written into the pictures that runs of models make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from catalog.kinds import NEGATIVE_PROMPT, PROMPT, inputs_of
from catalog.models import ModelRun, ModelVersion
from catalog.terms import required_attribution
from engines.manifest import LORA, TEXT_TO_IMAGE
from engines.onnx.run import Result
from engines.provenance import COMPOSITE, Provenance, Scalar

# Between several credits, and several licences, of one picture.
_AND = "; "
_LONGEST_CREDIT = 2000  # signs taken over from a picture that was given


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that an item went through: with what, and what came out."""

    version: ModelVersion
    values: Mapping[str, Any]
    result: Result


def record_of(
    run: ModelRun, done: Sequence[Done], given: Provenance | None, *, is_changed: bool
) -> Provenance:
    """Return the record of a picture that the last of these steps made.

    `given` is what the item's own file says of its making, `is_changed` whether there was one: what that
    picture owes to others, this one owes to them too.
    """
    last = done[-1].version
    is_from_text = last.model.family in {TEXT_TO_IMAGE, LORA}
    values: dict[str, Scalar] = {}
    for number, step in enumerate(done, 1):
        prefix = f"Step {number} " if len(done) > 1 else ""
        if prefix:
            values[f"{prefix}model"] = f"{step.version.model.address} v{step.version.number}"
        told = _scalars(step)
        if is_from_text and number == len(done):  # they have places of their own
            told = {name: value for name, value in told.items() if name not in {PROMPT, NEGATIVE_PROMPT}}
        values |= {f"{prefix}{name}": value for name, value in told.items()}
    credit = [line for step in done for line in required_attribution(step.version)]
    in_force = [step.version.licence_in_force for step in reversed(done)]
    licences = [licence.spdx_id or licence.name for licence in in_force]
    if given is not None:
        credit += given.credit[:_LONGEST_CREDIT].split(_AND)
        licences += given.licence[:_LONGEST_CREDIT].split(_AND)
    return Provenance(
        model=f"{last.model.address} v{last.number}",
        model_sha256=last.weights_sha256,
        prompt=str(done[-1].values.get(PROMPT, "")) if is_from_text else "",
        negative_prompt=str(done[-1].values.get(NEGATIVE_PROMPT, "")) if is_from_text else "",
        settings=values,
        creator=run.owner.public_name,
        credit=_each_once(credit),
        licence=_each_once(licences),
        licence_url=in_force[0].url,
        version_sha256=last.sha256,
        run=str(run.job_id),
        studio=settings.SITE_URL,
        source_type=COMPOSITE if is_changed else "",
    )


def _scalars(step: Done) -> dict[str, Any]:
    """What a step was set to that fits one line; pictures are no settings."""
    names = {port.name for port in inputs_of(step.version) if port.kind != "image"}
    kept = {name: step.values[name] for name in names & step.values.keys()}
    scalars = {name: value for name, value in kept.items() if isinstance(value, (str, int, float))}
    return {name: scalars[name] for name in sorted(scalars) if scalars[name] != ""}


def _each_once(parts: Iterable[str]) -> str:
    return _AND.join(dict.fromkeys(part for part in parts if part))
