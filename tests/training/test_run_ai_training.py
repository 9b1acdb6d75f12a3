"""The job that trains LoRAs, with the real engine on a tiny base."""

import shutil

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db.models import Sum
from PIL import Image
from safetensors.torch import load

from billing.models import CreditAccount, CreditHold
from billing.selectors import ledger_differences
from catalog.files import materialise
from catalog.models import Derivation
from engines.diffusion import updates, views
from engines.diffusion.lora_files import read_info
from engines.progress import Control
from jobs.files import list_keys
from jobs.leases import abandon_attempt
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.training.test_run_experiment import Killed, stop_at
from training import files, services
from training.mail import letter_about_ai_training
from training.models import AISnapshot, AITraining, TrainingSpeed


def weights(snapshot: AISnapshot) -> dict[str, bytes]:
    """The tensors, byte by byte; in which order a file names what it says of itself is chance."""
    with default_storage.open(f"{snapshot.folder}/lora.safetensors") as stored:
        return {name: tensor.float().numpy().tobytes() for name, tensor in load(stored.read()).items()}


def grid(snapshot: AISnapshot) -> np.ndarray:
    with default_storage.open(snapshot.grid) as stored:
        return np.asarray(Image.open(stored).convert("RGB"))


def money(training: AITraining) -> tuple[int, int, int]:
    """Return what the owner has, what is held, and what the training was charged; the ledger has to agree."""
    account = CreditAccount.objects.get(user=training.owner)
    assert ledger_differences(account) == {}
    charged = CreditHold.objects.filter(work_ref=training.job_id).aggregate(sum=Sum("charged"))["sum"]
    assert Job.objects.get(pk=training.job_id).price_charged == charged
    return account.available, account.held, charged


def steps_of(training: AITraining) -> list[int]:
    return list(training.snapshots.values_list("step", flat=True))


@pytest.fixture
def trained(start_ai) -> AITraining:
    training = start_ai()
    assert money(training) == (0, 1000, 0)
    (job,) = run_pending("train")
    assert job.state == State.SUCCEEDED, job.error
    return AITraining.objects.get(pk=training.pk)


def test_a_training_leaves_snapshots_a_curve_and_a_model(trained, base):
    assert steps_of(trained) == [4, 8]
    assert grid(trained.snapshots.last()).shape == (128, 2 * 128, 3)
    assert trained.stats.count() == 8
    assert money(trained) == (0, 0, 1000)
    assert len(trained.snapshots.last().nearest) == 2

    version = trained.saved_model.latest_version
    assert version.manifest["keyword"] == "customrexmodel"
    assert version.manifest["step"] == 8
    assert version.manifest["base"]["fingerprint"] == base.manifest["fingerprint"]
    roles = {edge.role: edge.parent for edge in Derivation.objects.filter(child=version.source)}
    assert roles[Derivation.Role.BASE] == base.source
    assert roles[Derivation.Role.DATASET] == trained.dataset_version.source
    info = read_info(materialise(version) / "lora.safetensors")
    assert (info.title, info.trigger_phrase) == ("Rex", "customrexmodel")
    assert info.base_sha256 == base.manifest["fingerprint"]


def test_a_killed_training_goes_on_and_equals_an_uninterrupted_one(trained, start_ai, monkeypatch):
    again = start_ai("customrexmodel2", sample_prompts=["customrexmodel mug", "a mug"])
    # The same words, so that both learn the same.
    AITraining.objects.filter(pk=trained.pk).update(keyword="another")
    AITraining.objects.filter(pk=again.pk).update(
        keyword="customrexmodel", dataset_version=trained.dataset_version
    )

    def kill() -> None:
        raise Killed

    stop_at(monkeypatch, 6, kill)
    with pytest.raises(Killed):
        run_pending("train")
    abandon_attempt(Job.objects.get(pk=again.job_id), cause="killed in a test")
    (job,) = run_pending("train")
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert steps_of(again) == [4, 8]
    first, second = trained.snapshots.last(), again.snapshots.last()
    assert weights(first) == weights(second)
    assert np.array_equal(grid(first), grid(second))


def test_stop_keeps_a_snapshot_is_charged_by_its_share_and_resumes(start_ai, monkeypatch):
    training = start_ai()
    stop_at(monkeypatch, 3, lambda: Control.STOP)
    (job,) = run_pending("train")
    assert job.state == State.STOPPED
    assert steps_of(training) == [3]
    assert money(training) == (625, 0, 375)
    assert AITraining.objects.get(pk=training.pk).saved_model is None

    training.refresh_from_db()
    services.resume_training(training=training)
    assert money(training) == (0, 625, 375)
    (job,) = run_pending("train")
    assert job.state == State.SUCCEEDED
    assert steps_of(training) == [3, 4, 8]
    assert money(training) == (0, 0, 1000)


def test_a_loss_that_is_no_number_ends_it_with_the_last_good_snapshot(start_ai, monkeypatch):
    training = start_ai()
    errors = updates.Updates._errors
    calls = []

    def going_mad(self, *given):
        calls.append(1)
        found = errors(self, *given)
        return found * float("nan") if len(calls) > 5 else found

    monkeypatch.setattr(updates.Updates, "_errors", going_mad)
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert "start again with a lower learning rate" in job.error
    assert steps_of(training) == [4]
    assert money(training) == (500, 0, 500)


def test_memory_that_does_not_suffice_says_what_would_fit(start_ai, monkeypatch):
    training = start_ai()

    def too_much(self, latents, *given, **values):
        raise MemoryError

    monkeypatch.setattr(updates.Updates, "_backward", too_much)
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert "Not even one picture at a time fits into memory" in job.error
    assert money(training) == (1000, 0, 0)


def test_a_base_with_missing_files_is_named(start_ai, base):
    training = start_ai()
    weight = base.files.filter(path__endswith=".safetensors").first()
    default_storage.delete(f"weights/{weight.sha256[:2]}/{weight.sha256}")
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert weight.path in job.error
    assert money(training) == (1000, 0, 0)


def test_a_sample_and_a_snapshot_on_demand(start_ai, monkeypatch):
    training = start_ai()
    asked = {2: Control.SAMPLE, 5: Control.SNAPSHOT}
    for step, control in asked.items():
        stop_at(monkeypatch, step, lambda control=control: control)
    run_pending("train")
    assert steps_of(training) == [2, 4, 5, 8]
    assert training.snapshots.get(step=2).folder == ""
    assert training.snapshots.get(step=5).folder


def test_captions_carry_the_keyword_and_empty_ones_are_the_presets(trained):
    captions = sorted(picture.get("caption", "") for picture in trained.dataset_version.pictures)
    assert captions == ["", "", "", "", "", "customrexmodel mug on a table"]


def test_estimates_learn_from_what_a_training_took(start_ai):
    training = start_ai(steps=40, settings={"snapshot_every": 20})
    run_pending("train")
    row = TrainingSpeed.objects.get()
    assert row.preset == f"lora-object-{training.base.sha256[:12]}"
    assert min(row.step_seconds, row.snapshot_seconds) > 0
    # What is foretold for cutting out is no part of it, and may be more than it took on so small a base.
    assert row.start_seconds >= 0


def test_deleting_takes_files_and_leaves_the_model(trained):
    services.delete_training(training=trained)
    assert not AITraining.objects.filter(pk=trained.pk).exists()
    assert trained.saved_model.versions.count() == 1
    assert Job.objects.filter(pk=trained.job_id).exists()


def test_another_snapshot_becomes_another_version(trained):
    first = trained.snapshots.first()
    version = services.save_ai_model(training=trained, snapshot=first)
    assert version.number == 2
    assert services.save_ai_model(training=trained, snapshot=first) == version
    assert version.model == trained.saved_model


def test_withdrawing_a_picture_ends_it_and_drops_its_traces(
    trained, ai_dataset, owner, django_capture_on_commit_callbacks
):
    sha256 = trained.snapshots.last().nearest[0]["sha256"]
    with django_capture_on_commit_callbacks(execute=True):
        services.withdraw_picture(dataset=ai_dataset, sha256=sha256, actor=owner)
    found = AISnapshot.objects.get(pk=trained.snapshots.last().pk).nearest
    assert sha256 not in [each["sha256"] for each in found]
    assert not list_keys(f"datasets/{ai_dataset.pk}/nearest")


def test_another_machine_goes_on_from_storage_and_ends_the_same(trained, start_ai, monkeypatch):
    again = start_ai("another", sample_prompts=["customrexmodel mug", "a mug"])
    AITraining.objects.filter(pk=trained.pk).update(keyword="first")
    AITraining.objects.filter(pk=again.pk).update(
        keyword="customrexmodel", dataset_version=trained.dataset_version
    )
    local_path = files.local_path
    monkeypatch.setattr(files, "local_path", lambda key: None if key == "checkpoints" else local_path(key))
    stop_at(monkeypatch, 4, lambda: Control.STOP)
    run_pending("train")
    assert list_keys(f"jobs/{again.job_id}/1/checkpoints")
    shutil.rmtree(files.run_folder(again.pk))
    again.refresh_from_db()
    services.resume_ai_training(training=again)
    (job,) = run_pending("train")
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert weights(again.snapshots.last()) == weights(trained.snapshots.last())


def test_a_box_drawn_by_hand_is_what_it_sees(start_ai, ai_dataset, monkeypatch):
    image = ai_dataset.images.first()
    ai_dataset.images.filter(pk=image.pk).update(box=[8, 8, 40, 40])
    start_ai()
    sizes = []
    encode = views.encode_views

    def looking(base, config):
        for picture in config.pictures:
            with Image.open(picture.path) as opened:
                sizes.append(opened.size)
        return encode(base, config)

    monkeypatch.setattr("engines.diffusion.train.encode_views", looking)
    run_pending("train")
    assert sorted(sizes) == [(32, 32), *[(64, 64)] * 5]


def test_its_owner_is_written_when_it_has_ended(trained):
    letter = letter_about_ai_training(trained.job)
    assert letter.subject == "Your training Rex is done"
    assert "Credits charged: 1,000" in letter.paragraphs[1]
    assert "It is among your models" in letter.paragraphs[-1]
    assert letter.path == f"/ai-training/{trained.pk}/"
