"""Questions about workspaces: what lies on a shelf, which checkpoints there are, what a chain runs with."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import ChainRefusedError
from catalog.kinds import inputs_of, is_runnable, link, outputs_of
from catalog.models import Chain, ChainStep, ModelVersion, Workspace, WorkspaceModel
from catalog.runs import check_chain, runnable_versions
from engines.manifest import LORA, STYLEGAN2, STYLEGAN3, TEXT_TO_IMAGE

# Where one's own trained models stand in for a model: the families that they are of. ONNX models of one
# family have nothing in common.
CHECKPOINT_FAMILIES = {STYLEGAN2: STYLEGAN2, STYLEGAN3: STYLEGAN3, TEXT_TO_IMAGE: LORA}


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """A model on a shelf.

    Attributes:
        entry: the row, with its model.
        version: what is run: the chosen checkpoint, else the newest; None where the model cannot be used now.
        checkpoints: the user's own models of the same family, and the model itself.
        is_runnable: whether the Run page can run it.
    """

    entry: WorkspaceModel
    version: ModelVersion | None
    checkpoints: list[ModelVersion]
    is_runnable: bool


@dataclass(frozen=True, kw_only=True)
class ShownStep:
    """A step of a chain: what it runs now, or why it cannot; `gets` names what the one before gives it."""

    step: ChainStep
    version: ModelVersion | None
    gets: str
    problem: str


def shelf_of(workspace: Workspace, user: User) -> list[Shelved]:
    """Return what lies on a workspace's shelf, with the checkpoints of each family. Three queries."""
    entries = list(workspace.shelf.select_related("model__owner", "checkpoint__model__owner"))
    families = {CHECKPOINT_FAMILIES.get(entry.model.family) for entry in entries} - {None}
    newest = {version.model_id: version for version in _newest(user, [entry.model_id for entry in entries])}
    own = list(runnable_versions(user).filter(model__owner=user, model__family__in=families))
    shelf = []
    for entry in entries:
        version = entry.checkpoint or newest.get(entry.model_id)
        others = [one for one in own if one.model.family == CHECKPOINT_FAMILIES.get(entry.model.family)]
        others = [one for one in others if one.model_id != entry.model_id]
        shelf.append(
            Shelved(
                entry=entry,
                version=version,
                checkpoints=others,
                is_runnable=version is not None and is_runnable(version),
            )
        )
    return shelf


def _newest(user: User, models: Sequence[UUID]) -> list[ModelVersion]:
    return list(runnable_versions(user).filter(model_id__in=models))


def steps_of(chain: Chain, user: User) -> list[ShownStep]:
    """Return a chain's steps as they would run now: with chosen checkpoints, and why one cannot."""
    steps = list(chain.steps.select_related("model__owner"))
    wanted = [step.model_id for step in steps if step.model_id]
    newest = {version.model_id: version for version in _newest(user, wanted)}
    shelf = chain.workspace.shelf.filter(model_id__in=wanted).exclude(checkpoint=None)
    chosen = {entry.model_id: entry.checkpoint for entry in shelf.select_related("checkpoint__model__owner")}
    shown: list[ShownStep] = []
    for step in steps:
        version = (chosen.get(step.model_id) or newest.get(step.model_id)) if step.model_id else None
        before = shown[-1].version if shown else None
        gets, problem = _joint(before, version, is_first=not shown)
        shown.append(ShownStep(step=step, version=version, gets=gets, problem=problem))
    return shown


def _joint(before: ModelVersion | None, version: ModelVersion | None, *, is_first: bool) -> tuple[str, str]:
    """The name of the input that a step gets from the one before, and what is wrong with the step."""
    if version is None:
        return "", _("This model is gone, or not yours to use any more. Choose another one.")
    try:
        check_chain([version] if is_first or before is None else [before, version])
    except ChainRefusedError as error:
        return "", str(error.message)
    if is_first or before is None:
        return "", ""
    joint = link(outputs_of(before), inputs_of(version))
    return (joint[1].name if joint else ""), ""
