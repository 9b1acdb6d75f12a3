"""Workspaces: shelves of models, and the chains that are made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import ChainRefusedError, NameTakenError
from catalog.models import CatalogModel, Chain, ChainStep, ModelVersion, Workspace, WorkspaceModel
from catalog.runs import check_chain

MAX_STEPS = 6
MAX_MODELS = 100


@dataclass(frozen=True, kw_only=True)
class ChainStepOrder:
    """A version for a chain's step, and what its inputs are set to."""

    version: ModelVersion
    settings: Mapping[str, Any] = field(default_factory=dict)


def save_workspace(
    *, owner: User, name: str, description: str = "", workspace: Workspace | None = None
) -> Workspace:
    """Make a workspace, or rename one. Raises NameTakenError when the owner has another of this name."""
    workspace = workspace or Workspace(owner=owner)
    workspace.name, workspace.description = name, description
    try:
        with transaction.atomic():
            workspace.save()
    except IntegrityError as error:
        raise NameTakenError(_("You have a workspace of this name. Choose another name."), []) from error
    return workspace


def add_model(*, workspace: Workspace, model: CatalogModel) -> WorkspaceModel:
    """Put a model on the shelf; one that is there already stays as it is."""
    last = workspace.shelf.aggregate(last=Max("position"))["last"]
    entry, _created = WorkspaceModel.objects.get_or_create(
        workspace=workspace, model=model, defaults={"position": 0 if last is None else last + 1}
    )
    return entry


def remove_model(*, workspace: Workspace, model_id: UUID) -> None:
    """Take a model off the shelf; chains that use it stay."""
    workspace.shelf.filter(model_id=model_id).delete()


def choose_checkpoint(*, entry: WorkspaceModel, checkpoint: ModelVersion | None) -> None:
    """Have a version of the same family used in place of the model's newest; None: the newest again."""
    entry.checkpoint = checkpoint
    entry.save(update_fields=["checkpoint"])


@transaction.atomic
def save_chain(
    *, workspace: Workspace, name: str, steps: Sequence[ChainStepOrder], chain: Chain | None = None
) -> Chain:
    """Save a chain, in place of what it was.

    Raises ChainRefusedError, with the reason, at the first step that does not fit the one before, and
    NameTakenError when the workspace has another chain of this name.
    """
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ChainRefusedError(_("A chain has 1 to %(max)d steps.") % {"max": MAX_STEPS}, 0)
    check_chain([step.version for step in steps])
    chain = chain or Chain(workspace=workspace)
    chain.name = name
    try:
        with transaction.atomic():
            chain.save()
    except IntegrityError as error:
        raise NameTakenError(_("This workspace has a chain of that name. Choose another."), []) from error
    chain.steps.all().delete()
    ChainStep.objects.bulk_create(
        ChainStep(
            chain=chain,
            position=place,
            model=step.version.model,
            model_title=step.version.model.title,
            settings=dict(step.settings),
        )
        for place, step in enumerate(steps)
    )
    Workspace.objects.get(pk=workspace.pk).save(update_fields=["updated_at"])
    return chain


@transaction.atomic
def keep_settings(*, chain: Chain, settings: Sequence[Mapping[str, Any]]) -> None:
    """Have a chain's steps begin with these settings the next time, one mapping for each step."""
    for step, values in zip(chain.steps.order_by("position"), settings, strict=True):
        step.settings = dict(values)
        step.save(update_fields=["settings"])
