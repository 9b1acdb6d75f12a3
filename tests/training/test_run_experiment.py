"""The job that trains, with the real engine on tiny networks."""

import shutil

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from engines.progress import Control
from jobs.files import list_keys
from jobs.leases import abandon_attempt
from jobs.models import Job, State
from jobs.testing import run_pending
from training import files, jobs, services
from training.models import Dataset, Experiment, Snapshot


class Killed(BaseException):
    """Stands for the SIGKILL that no handler can catch."""


def grid(snapshot: Snapshot) -> np.ndarray:
    with default_storage.open(snapshot.grid) as stored:
        return np.asarray(Image.open(stored).convert("RGB"))


def weights(snapshot: Snapshot) -> bytes:
    with default_storage.open(f"{snapshot.folder}/g_ema.safetensors") as stored:
        return stored.read()


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, act) -> None:
    """Call `act` once, when the engine has reported this step."""
    report = jobs.JobContext.report
    done = []

    def reporting(self, **progress):
        control = report(self, **progress)
        if progress["step"] == step and not done:
            done.append(True)
            return act() or control
        return control

    monkeypatch.setattr(jobs.JobContext, "report", reporting)


def test_a_training_leaves_snapshots_curves_and_a_finished_job(trained):
    assert trained.job.state == State.SUCCEEDED
    assert (trained.job.step, trained.job.total) == (8, 8)
    snapshots = list(trained.snapshots.all())
    assert [snapshot.step for snapshot in snapshots] == [4, 8]
    assert grid(snapshots[0]).shape == (4 * 16, 7 * 16, 3)
    assert trained.stats.count() == 8
    assert {"loss_g", "loss_d"} <= set(trained.stats.first().values)


def test_a_killed_training_goes_on_and_equals_an_uninterrupted_one(
    trained, dataset, starting_point, owner, monkeypatch
):
    again = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=8,
        name=trained.name, settings={"batch": 4, "snapshot_every": 4},
    )  # fmt: skip

    def kill() -> None:
        raise Killed

    stop_at(monkeypatch, 6, kill)
    with pytest.raises(Killed):
        run_pending("train")
    # What the reconciler does when the lease has run out.
    job = Job.objects.get(pk=again.job_id)
    assert job.state == State.RUNNING
    abandon_attempt(job, cause="killed in a test")
    (job,) = run_pending("train")
    assert job.state == State.SUCCEEDED
    assert job.attempt == 2
    assert [snapshot.step for snapshot in again.snapshots.all()] == [4, 8]
    first, second = trained.snapshots.last(), again.snapshots.last()
    assert weights(first) == weights(second)
    assert np.array_equal(grid(first), grid(second))


def test_stop_keeps_a_snapshot_and_resume_equals_uninterrupted(
    trained, dataset, starting_point, owner, monkeypatch
):
    again = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=8,
        name=trained.name, settings={"batch": 4, "snapshot_every": 4},
    )  # fmt: skip
    stop_at(monkeypatch, 3, lambda: Control.STOP)
    (job,) = run_pending("train")
    assert job.state == State.STOPPED
    assert [snapshot.step for snapshot in again.snapshots.all()] == [3]
    services.resume_training(training=again)
    (job,) = run_pending("train")
    assert job.state == State.SUCCEEDED
    assert [snapshot.step for snapshot in again.snapshots.all()] == [3, 4, 8]
    assert weights(trained.snapshots.last()) == weights(again.snapshots.last())


def test_a_sample_is_a_grid_without_weights(experiment, monkeypatch):
    stop_at(monkeypatch, 2, lambda: Control.SAMPLE)
    run_pending("train")
    sample = experiment.snapshots.get(step=2)
    assert sample.folder == ""
    assert grid(sample).size


def test_an_asked_snapshot_can_be_saved(experiment, monkeypatch):
    stop_at(monkeypatch, 2, lambda: Control.SNAPSHOT)
    run_pending("train")
    assert experiment.snapshots.get(step=2).folder


def test_a_snapshot_that_was_written_but_not_recorded_is_found_again(experiment, monkeypatch):
    record = jobs.ExperimentHost._record
    calls = []

    def dying(self, snapshot, folder):
        calls.append(snapshot.step)
        if len(calls) == 2:
            raise Killed
        return record(self, snapshot, folder)

    monkeypatch.setattr(jobs.ExperimentHost, "_record", dying)
    with pytest.raises(Killed):
        run_pending("train")
    abandon_attempt(Job.objects.get(pk=experiment.job_id), cause="killed in a test")
    run_pending("train")
    assert [snapshot.step for snapshot in experiment.snapshots.all()] == [4, 8]


def test_a_training_killed_before_its_last_snapshot_makes_it_up(experiment, monkeypatch):
    snapshot = jobs.ExperimentHost.snapshot
    calls = []

    def dying(self, made, **options):
        calls.append(made.step)
        if len(calls) == 2:
            shutil.rmtree(made.folder)  # as if the process had died before it wrote it
            raise Killed
        snapshot(self, made, **options)

    monkeypatch.setattr(jobs.ExperimentHost, "snapshot", dying)
    with pytest.raises(Killed):
        run_pending("train")
    abandon_attempt(Job.objects.get(pk=experiment.job_id), cause="killed in a test")
    run_pending("train")
    assert [made.step for made in experiment.snapshots.all()] == [4, 8]


def test_deleted_pictures_end_the_training_plainly(experiment):
    default_storage.delete(experiment.dataset_version.pictures[7]["file"])
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert "pictures of this training were deleted" in job.error
    assert Dataset.objects.filter(pk=experiment.dataset_version.dataset_id).exists()


def test_a_dataset_deleted_while_training_stops_it_with_what_it_learned(experiment, dataset, monkeypatch):
    def delete() -> None:
        services.delete_dataset(dataset=dataset)

    stop_at(monkeypatch, 5, delete)
    (job,) = run_pending("train")
    assert job.state == State.STOPPED
    assert "dataset was deleted" in job.error
    assert [snapshot.step for snapshot in experiment.snapshots.all()][-1] >= 5


def test_an_experiment_deleted_before_it_began_is_no_fault(experiment):
    Experiment.objects.filter(pk=experiment.pk).delete()
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert "experiment was deleted" in job.error


def test_diverged_numbers_end_with_a_plain_explanation(dataset, starting_point, owner):
    experiment = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=8,
        settings={"batch": 4, "snapshot_every": 4, "learning_rate": 1e30},
    )  # fmt: skip
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert "unstable" in job.error
    assert not job.error_reference
    assert experiment.snapshots.count() == 0


def test_the_run_folder_is_gone_when_the_training_is_done(experiment, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        run_pending("train")
    assert not files.run_folder(experiment.pk).exists()


def test_another_machine_goes_on_from_storage(experiment, monkeypatch):
    """With storage elsewhere the checkpoint travels with each snapshot."""
    local_path = files.local_path
    monkeypatch.setattr(files, "local_path", lambda key: None if key == "checkpoints" else local_path(key))
    stop_at(monkeypatch, 5, lambda: Control.STOP)
    run_pending("train")
    assert list_keys(f"jobs/{experiment.job_id}/1/checkpoints")
    shutil.rmtree(files.run_folder(experiment.pk))
    services.resume_training(training=experiment)
    first_steps = []
    report = jobs.JobContext.report

    def noting(self, **progress):
        first_steps.append(progress["step"])
        return report(self, **progress)

    monkeypatch.setattr(jobs.JobContext, "report", noting)
    (job,) = run_pending("train")
    assert job.state == State.SUCCEEDED
    assert min(step for step in first_steps if step) >= 5
