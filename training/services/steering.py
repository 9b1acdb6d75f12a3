"""Stopping, resuming and deleting trainings, and asking something of one that runs: for all kinds."""

import shutil
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from jobs.models import State
from jobs.services import request_sample, request_snapshot, resume_job, stop_job
from training import files
from training.exceptions import DatasetUnfit, ExperimentBusy
from training.models import DatasetVersion, TrainingRun
from training.withdrawn import why_ended


def stop_training(*, training: TrainingRun) -> None:
    """Stop a training: it keeps what it has learned, as a snapshot. One that waits is canceled."""
    stop_job(job=training.job)


def resume_training(*, training: TrainingRun) -> None:
    """Let a stopped or failed training go on from its checkpoint, as if it had never stopped.

    Effect: the credits for what comes next are held. Raises DatasetUnfit when its pictures were deleted or
    one was withdrawn, MoveRefusedError when it is neither stopped nor failed, CreditsShort and
    AccountBlocked.
    """
    with transaction.atomic():
        # Whoever withdraws a picture locks the version too, and then stops what is active.
        version = DatasetVersion.objects.select_for_update().defer("pictures", "report")
        ended = why_ended(version.get(pk=training.dataset_version_id))
        if ended:
            raise DatasetUnfit(ended)
        resume_job(job=training.job)


def request_training_sample(*, training: TrainingRun) -> None:
    """Have a running training show its samples now. Raises MoveRefusedError when it does not run."""
    request_sample(job=training.job)


def request_training_snapshot(*, training: TrainingRun) -> None:
    """Have a running training keep a snapshot now. Raises MoveRefusedError when it does not run."""
    request_snapshot(job=training.job)


@transaction.atomic
def delete_training(*, training: TrainingRun) -> None:
    """Delete a training with its snapshots; a model that was saved from it stays, and so does the receipt.

    One that waits is canceled. One transaction; files go after its commit. Raises ExperimentBusy while it
    runs.
    """
    job = stop_job(job=training.job) if training.job.state == State.QUEUED else training.job
    if job.is_active:
        raise ExperimentBusy(_("This training is running. Stop it first, then delete it."))
    run = files.run_folder(training.pk)
    training.delete()
    transaction.on_commit(partial(files.remove_prefix, f"jobs/{job.pk}/"))
    transaction.on_commit(partial(shutil.rmtree, run, ignore_errors=True))
