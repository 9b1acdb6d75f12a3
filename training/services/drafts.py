"""Experiments that were not started yet: begun, filled in, started, deleted."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from training.exceptions import DatasetUnfit, ExperimentBusy, SnapshotMissing, TooManyDrafts
from training.models import AITrainingDraft, Dataset, Experiment, ExperimentDraft, Snapshot
from training.services.experiments import save_model, start_experiment

MAX_DRAFTS = 30


@transaction.atomic
def create_draft(
    *,
    owner: User,
    dataset: Dataset | None,
    continued_from: Snapshot | None = None,
    choices: Mapping[str, str] | None = None,
) -> ExperimentDraft:
    """Begin an experiment that is started later. Return its row.

    Effect: inserts one row. The caller has made sure that dataset and snapshot are the owner's.
    Raises TooManyDrafts.
    """
    refuse_too_many(owner, ExperimentDraft)
    draft: ExperimentDraft = ExperimentDraft.objects.create(
        owner=owner, dataset=dataset, continued_from=continued_from, choices=dict(choices or {})
    )
    return draft


def refuse_too_many(owner: User, drafts: type[ExperimentDraft | AITrainingDraft]) -> None:
    """Raise TooManyDrafts where an account has as many as it may; holds the account's row from then on."""
    User.objects.select_for_update().get(pk=owner.pk)
    if drafts.objects.owned_by(owner).count() >= MAX_DRAFTS:
        raise TooManyDrafts(
            _("You have %(count)d trainings that were not started. Start or delete one of them first.")
            % {"count": MAX_DRAFTS}
        )


def continue_from(*, snapshot: Snapshot) -> ExperimentDraft:
    """Begin an experiment that goes on from a snapshot, with the settings of the one that made it.

    Effect: inserts a draft. Raises SnapshotMissing for a sample, which has pictures and no weights, and
    TooManyDrafts.
    """
    if not snapshot.folder:
        raise SnapshotMissing(_("This is a sample without weights. Choose a snapshot to continue from."))
    experiment = snapshot.experiment
    overridden = {name: str(value) for name, value in experiment.settings.items()}
    choices = {
        **overridden,
        "start": f"snapshot:{snapshot.pk}",
        "crop": experiment.dataset_version.crop,
        "mirror": "on" if experiment.mirror else "",
        "seed": str(experiment.seed),
    }
    return create_draft(
        owner=experiment.owner,
        dataset=experiment.dataset_version.dataset,
        continued_from=snapshot,
        choices=choices,
    )


def change_draft(
    *,
    draft: ExperimentDraft | AITrainingDraft,
    dataset: Dataset | None = None,
    choices: Mapping[str, str] | None = None,
) -> None:
    """Keep another dataset, or what was typed into the setup form. Effect: updates one row."""
    if dataset is not None:
        draft.dataset = dataset
    if choices is not None:
        draft.choices = dict(choices)
    draft.save(update_fields=["dataset", "choices", "changed_at"])


@transaction.atomic
def start_draft(*, draft: ExperimentDraft, continues: bool, **values: Any) -> Experiment:
    """Start the experiment of a draft with `values`, what `start_experiment` takes. Return it.

    Effect: one transaction. When it `continues` the draft's snapshot, that is saved as a private model
    version of the owner's first, which is then the starting point. The draft is gone afterwards.
    Raises ExperimentBusy when it was started already, and what `start_experiment` and `save_model` raise.
    """
    if not ExperimentDraft.objects.select_for_update().filter(pk=draft.pk).exists():
        raise ExperimentBusy(_("This experiment was started already. You find it among your experiments."))
    if draft.dataset is None:
        raise DatasetUnfit(_("The dataset was deleted. Choose another one."), field="dataset")
    snapshot = draft.continued_from if continues else None
    if snapshot is not None:
        values["starting_point"] = save_model(experiment=snapshot.experiment, snapshot=snapshot)
    experiment = start_experiment(owner=draft.owner, dataset=draft.dataset, continued_from=snapshot, **values)
    draft.delete()
    return experiment


def delete_draft(*, draft: ExperimentDraft | AITrainingDraft) -> None:
    """Delete what was chosen for a training that was not started. Nothing else goes."""
    draft.delete()
