"""Starting, steering, saving and deleting experiments."""

import pytest
from django.core.files.storage import default_storage

from catalog.models import CatalogModel, Derivation
from catalog.registry import dependents_of
from jobs.claims import claim_job
from jobs.exceptions import MoveRefusedError
from jobs.files import list_keys
from jobs.models import Queue, State
from training import services
from training.exceptions import DatasetUnfit, ExperimentBusy, SettingsRefused, SnapshotMissing
from training.models import Experiment


def test_starting_freezes_the_dataset_and_queues_a_job(experiment, dataset, starting_point):
    assert experiment.dataset_version.dataset == dataset
    assert (experiment.job.state, experiment.job.queue, experiment.job.total) == (
        State.QUEUED,
        Queue.TRAIN,
        8,
    )
    assert experiment.resolution == 16
    assert experiment.name == "Shells from Tiny"


def test_from_scratch_takes_the_standard_preset(dataset, owner):
    experiment = services.start_experiment(owner=owner, dataset=dataset, starting_point=None, steps=100)
    assert (experiment.preset, experiment.resolution, experiment.starting_point) == ("cpu64", 64, None)


@pytest.mark.parametrize("steps", [0, -1, 25_001, 10**9])
def test_steps_out_of_range_are_refused(dataset, owner, steps):
    with pytest.raises(SettingsRefused, match="between 1 and 25000"):
        services.start_experiment(owner=owner, dataset=dataset, starting_point=None, steps=steps)
    assert not Experiment.objects.exists()


def test_settings_out_of_range_are_refused(dataset, owner):
    with pytest.raises(SettingsRefused, match="gamma"):
        services.start_experiment(
            owner=owner, dataset=dataset, starting_point=None, steps=10, settings={"gamma": -1.0}
        )


def test_too_few_pictures_leave_nothing_behind(make_dataset, owner):
    with pytest.raises(DatasetUnfit):
        services.start_experiment(owner=owner, dataset=make_dataset(owner, 3), starting_point=None, steps=10)
    assert not Experiment.objects.exists()


def test_a_waiting_experiment_is_canceled_at_once(experiment):
    services.stop_training(training=experiment)
    experiment.job.refresh_from_db()
    assert experiment.job.state == State.CANCELED


def test_only_a_running_training_gives_samples(experiment):
    with pytest.raises(MoveRefusedError):
        services.request_training_sample(training=experiment)
    with pytest.raises(MoveRefusedError):
        services.request_training_snapshot(training=experiment)


def test_a_training_without_pictures_cannot_be_resumed(trained, dataset):
    services.delete_dataset(dataset=dataset)
    trained = Experiment.objects.get(pk=trained.pk)
    with pytest.raises(DatasetUnfit, match="were deleted"):
        services.resume_training(training=trained)


def test_a_done_training_cannot_be_resumed(trained):
    with pytest.raises(MoveRefusedError):
        services.resume_training(training=trained)


def test_saving_makes_a_private_model_with_its_lineage(trained, owner, starting_point):
    version = services.save_model(experiment=trained, name="My shells")
    assert version.model.owner == owner
    assert version.model.visibility == "private"
    assert (version.model.title, version.model.name) == ("My shells", "my-shells")
    assert {(edge.role, edge.parent) for edge in version.source.derived_from.all()} == {
        (Derivation.Role.DATASET, trained.dataset_version.source),
        (Derivation.Role.STARTING_POINT, starting_point.source),
    }
    assert {file.path for file in version.files.all()} >= {"model.json", "g_ema.safetensors", "grid.png"}
    trained.refresh_from_db()
    assert trained.saved_model == version.model


def test_saving_twice_changes_nothing(trained):
    first = services.save_model(experiment=trained)
    assert services.save_model(experiment=trained) == first
    assert CatalogModel.objects.filter(saved_from=trained.job_id).count() == 1


def test_another_snapshot_becomes_the_next_version(trained):
    last = services.save_model(experiment=trained)
    earlier = services.save_model(experiment=trained, snapshot=trained.snapshots.first())
    assert earlier.model == last.model
    assert (last.number, earlier.number) == (1, 2)


def test_a_taken_name_gets_a_number(trained, dataset, starting_point, owner):
    services.save_model(experiment=trained, name="Tiny")
    assert set(CatalogModel.objects.values_list("name", flat=True)) == {"tiny", "tiny-2"}


def test_nothing_to_save_is_said(experiment):
    with pytest.raises(SnapshotMissing, match="no snapshot"):
        services.save_model(experiment=experiment)


def test_deleting_removes_files_and_keeps_the_model(trained, django_capture_on_commit_callbacks):
    version = services.save_model(experiment=trained)
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_experiment(training=trained)
    assert not Experiment.objects.exists()
    assert list_keys(f"jobs/{trained.job_id}") == []
    file = version.files.first()
    assert default_storage.exists(f"weights/{file.sha256[:2]}/{file.sha256}")


def test_deleting_a_waiting_experiment_cancels_it(experiment):
    services.delete_experiment(training=experiment)
    experiment.job.refresh_from_db()
    assert experiment.job.state == State.CANCELED


def test_a_running_experiment_is_not_deleted(experiment):
    claim_job(queue="train", worker="w")
    experiment.refresh_from_db()
    with pytest.raises(ExperimentBusy, match="Stop it first"):
        services.delete_experiment(training=experiment)


def test_a_starting_point_knows_who_depends_on_it(experiment, starting_point):
    ((_dependents, sentence),) = dependents_of(starting_point.model)
    assert "1 experiment started from this model" in sentence
