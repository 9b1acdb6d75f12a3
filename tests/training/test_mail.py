"""What the owner of a training is written when it has ended."""

import pytest
from django.core import mail
from django.urls import reverse

from billing.models import Price
from billing.services import revise_price
from jobs.models import State
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.training.test_run_experiment import stop_at
from tests.wallets import set_credits
from training import services
from training.models import Experiment


@pytest.fixture(autouse=True)
def _credits(owner) -> None:
    set_credits(owner, 1000)


def the_mail():
    run_pending("light")
    (message,) = mail.outbox
    return message


def test_a_training_that_is_done(trained, settings):
    settings.SITE_URL = "https://studio.example"
    message = the_mail()
    page = reverse("training:experiment_detail", args=[trained.pk])
    assert message.subject == f"Your training {trained.name} is done"
    assert f"https://studio.example{page}" in message.body
    assert "Steps: 8 of 8" in message.body
    assert "Newest snapshot: step 8" in message.body
    assert "Frechet distance on random features: " in message.body
    assert "Credits charged: " in message.body
    assert "save the one you like" in message.body


def test_a_training_that_failed_says_why(dataset, starting_point, owner):
    services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=8,
        settings={"batch": 4, "learning_rate": 1e30},
    )  # fmt: skip
    run_pending("train")
    message = the_mail()
    assert message.subject.endswith(" failed")
    assert "became unstable" in message.body
    assert "no snapshot yet" in message.body


def test_one_that_ran_out_of_credits_says_what_to_do(dataset, starting_point, owner):
    revise_price(price=Price(code="experiment-64", label="Steps", credits=1, per=1))
    set_credits(owner, 5)
    services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=8,
        settings={"batch": 4, "snapshot_every": 4},
    )  # fmt: skip
    run_pending("train")
    message = the_mail()
    assert message.subject.endswith(" has stopped")
    assert "Add credits, then press Resume." in message.body
    assert "Newest snapshot: step 4" in message.body


def test_one_that_was_stopped_at_the_plans_hours(experiment, monkeypatch):
    def end_of_time() -> None:
        stop_job(job=experiment.job, cause="past its deadline", explanation="Your plan trains for 3 hours.")

    stop_at(monkeypatch, 5, end_of_time)
    run_pending("train")
    assert "Your plan trains for 3 hours." in the_mail().body


def test_one_that_its_owner_stopped(experiment, monkeypatch):
    def stop() -> None:
        services.stop_training(training=experiment)

    stop_at(monkeypatch, 5, stop)
    (job,) = run_pending("train")
    run_pending("light")
    assert job.state == State.STOPPED
    assert not mail.outbox


def test_one_that_was_deleted_before_it_was_told(trained):
    services.delete_experiment(training=trained)
    run_pending("light")
    assert not Experiment.objects.exists()
    assert not mail.outbox
