"""What is written into the pictures that runs of models make."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from catalog.kinds import SEED
from catalog.models import ModelRun, ModelVersion, RunItem, RunStep
from catalog.terms import required_attribution
from engines.provenance import COMPOSITE, Provenance, Scalar


def record_of(run: ModelRun, steps: Sequence[RunStep], item: RunItem, version: ModelVersion) -> Provenance:
    """Return the record of a picture that these steps made of an item; `version` is the last one's."""
    values: dict[str, Scalar] = {}
    for step in steps:
        prefix = f"Step {step.position + 1} " if len(steps) > 1 else ""
        if prefix:
            values[f"{prefix}model"] = step.model_title
        values |= {f"{prefix}{name}": value for name, value in _scalars(step, item).items()}
    lines = [line for step in steps if step.version for line in required_attribution(step.version)]
    return Provenance(
        model=f"{version.model.address} v{version.number}",
        model_sha256=version.weights_sha256,
        settings=values,
        creator=run.owner.public_name,
        credit="; ".join(dict.fromkeys(lines)),
        licence=version.licence_in_force.spdx_id or version.licence_in_force.name,
        licence_url=version.licence_in_force.url,
        version_sha256=version.sha256,
        run=str(run.job_id),
        studio=settings.SITE_URL,
        source_type=COMPOSITE if item.file else "",
    )


def _scalars(step: RunStep, item: RunItem) -> dict[str, Any]:
    """The settings of a step that fit one line; the first step's seed is the item's own."""
    told = {name: value for name, value in step.settings.items() if isinstance(value, (str, int, float))}
    seed = told.get(SEED)
    if step.position == 0 and isinstance(seed, int):
        told[SEED] = seed + item.position
    return told
