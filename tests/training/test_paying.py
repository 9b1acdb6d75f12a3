"""What a training costs: estimated before, held and charged from snapshot to snapshot, out of credits."""

from urllib.parse import quote

import pytest
from django.db.models import Sum
from django.urls import reverse

from billing.models import CreditAccount, CreditHold, Price
from billing.selectors import balance_of, ledger_differences, quote_price
from billing.services import revise_price
from engines.progress import Control
from jobs.leases import abandon_attempt
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.training.test_run_experiment import Killed, stop_at
from tests.wallets import give_credits, set_credits
from training import prices, services
from training.models import Experiment, ExperimentDraft

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def price(db) -> Price:
    """One credit a step, so that eight steps are worth counting."""
    return revise_price(price=Price(code="experiment-64", label="Steps", credits=1, per=1))


@pytest.fixture
def start(owner, dataset, starting_point):
    """Return a function that starts a training of 8 quick steps, with a snapshot every 4."""

    def start(credits_there: int = 100, **settings: object) -> Experiment:
        set_credits(owner, credits_there)
        return services.start_experiment(
            owner=owner, dataset=dataset, starting_point=starting_point, steps=8,
            settings={"batch": 4, "snapshot_every": 4, **settings},
        )  # fmt: skip

    return start


def money(experiment: Experiment) -> tuple[int, int, int]:
    """Return what the owner has, what is held, and what the training was charged; the ledger has to agree."""
    account = CreditAccount.objects.get(user=experiment.owner)
    assert ledger_differences(account) == {}
    charged = CreditHold.objects.filter(work_ref=experiment.job_id).aggregate(sum=Sum("charged"))["sum"]
    assert Job.objects.get(pk=experiment.job_id).price_charged == charged
    return account.available, account.held, charged


def page_of(client, experiment: Experiment) -> str:
    return client.get(reverse("training:experiment_detail", args=[experiment.pk])).content.decode()


def test_held_from_snapshot_to_snapshot_and_charged_for_all(start):
    experiment = start()
    assert money(experiment) == (96, 4, 0)
    run_pending("train")
    assert money(experiment) == (92, 0, 8)
    slices = CreditHold.objects.filter(work_ref=experiment.job_id).order_by("slice")
    assert list(slices.values_list("amount", "charged")) == [(4, 4), (4, 4)]


def test_out_of_credits_it_stops_saves_itself_and_resumes_after_a_grant(start, owner, owner_client):
    experiment = start(5)
    (job,) = run_pending("train")

    assert job.state == State.STOPPED
    assert [snapshot.step for snapshot in experiment.snapshots.all()] == [4]
    assert experiment.snapshots.get().folder
    assert money(experiment) == (1, 0, 4)
    page = page_of(owner_client, experiment)
    assert "Your credits ran out, so this stopped and saved itself." in page
    assert "take 4 and you have 1: add 3 credits, then press Resume" in page
    assert reverse("billing:account_detail") in page

    resume = reverse("training:experiment_resume", args=[experiment.pk])
    refused = owner_client.post(resume)
    assert refused.status_code == 402
    assert "This takes 4 credits and you have 1. Add 3, then try again." in refused.content.decode()
    # What is bought leads back to the page that can be looked at, not to the button's address.
    assert f"return_to={quote(experiment.get_absolute_url(), safe='')}" in refused.content.decode()
    fragment = owner_client.post(resume, headers=HTMX)
    assert fragment.status_code == 402
    assert "<html" not in fragment.content.decode()
    assert Job.objects.get(pk=experiment.job_id).state == State.STOPPED

    give_credits(owner, 3)
    assert owner_client.post(resume).status_code == 302
    assert money(experiment) == (0, 4, 4)
    (job,) = run_pending("train")

    assert (job.state, job.step, job.delivered, job.attempt) == (State.SUCCEEDED, 8, 8, 2)
    assert [snapshot.step for snapshot in experiment.snapshots.all()] == [4, 8]
    assert money(experiment) == (0, 0, 8)
    assert job.price_charged == quote_price("experiment-64", 8).credits
    page = page_of(owner_client, experiment)
    assert "All of it was delivered and charged." in page
    assert "ran out" not in page


def test_a_stop_is_charged_up_to_its_own_snapshot_and_resume_pays_the_rest(start, monkeypatch):
    experiment = start()
    stop_at(monkeypatch, 6, lambda: Control.STOP)
    run_pending("train")
    assert money(experiment) == (94, 0, 6)
    services.resume_training(training=experiment)
    assert money(experiment) == (92, 2, 6)
    run_pending("train")
    assert money(experiment) == (92, 0, 8)


def test_a_snapshot_that_was_asked_for_moves_no_credits_yet(start, monkeypatch):
    experiment = start()
    held = []
    stop_at(monkeypatch, 2, lambda: Control.SNAPSHOT)
    stop_at(monkeypatch, 3, lambda: held.append(money(experiment)))
    run_pending("train")
    assert held == [(96, 4, 0)]
    assert money(experiment) == (92, 0, 8)


def test_a_failure_gives_back_what_was_not_delivered(start):
    experiment = start(learning_rate=1e30)
    (job,) = run_pending("train")
    assert job.state == State.FAILED
    assert money(experiment) == (100, 0, 0)


def test_a_killed_attempt_pays_nothing_twice(start, monkeypatch):
    experiment = start()

    def kill() -> None:
        raise Killed

    stop_at(monkeypatch, 6, kill)
    with pytest.raises(Killed):
        run_pending("train")
    assert money(experiment) == (92, 4, 4)
    abandon_attempt(Job.objects.get(), cause="killed in a test")
    assert money(experiment) == (92, 4, 4)
    run_pending("train")
    assert money(experiment) == (92, 0, 8)


def test_a_canceled_training_costs_nothing(start):
    experiment = start()
    services.stop_training(training=experiment)
    assert money(experiment) == (100, 0, 0)


@pytest.mark.parametrize("steps", [1, 249, 250, 251, 1000, 3001])
def test_slices_sum_up_to_the_price_of_the_whole(steps):
    """At 10 credits for 1,000 steps no slice is a whole number of credits; together they are exact."""
    price = Price(code="x", credits=10, per=1000)
    experiment = Experiment(preset="cpu64", steps=steps)
    total, step = 0, 0
    while step < steps:
        until = prices.next_slice_end(experiment, step)
        total += prices.quote_steps(price, after=step, until=until).credits
        step = until
        assert prices.is_slice_end(experiment, step)
    assert total == price.for_quantity(steps)


class TestWizard:
    @pytest.fixture
    def values(self, starting_point_64) -> dict[str, str]:
        return {
            "start": str(starting_point_64.pk), "crop": "center", "steps": "200", "snapshot_every": "50",
        }  # fmt: skip

    @pytest.fixture
    def draft(self, dataset, owner, values) -> ExperimentDraft:
        draft = services.create_draft(owner=owner, dataset=dataset)
        services.change_draft(draft=draft, choices=values)
        return draft

    def start_page(self, client, draft) -> str:
        url = reverse("training:draft_start", args=[draft.pk])
        return " ".join(client.get(url).content.decode().split())

    def estimate(self, client, draft, **values: object) -> str:
        url = reverse("training:draft_setup", args=[draft.pk])
        page = client.get(url, values, headers={**HTMX, "HX-Target": "estimate"}).content.decode()
        return " ".join(page.split())

    def test_the_receipt_says_price_and_balance_after(self, owner, owner_client, draft):
        set_credits(owner, 300)
        page = self.start_page(owner_client, draft)
        assert "Start training, 200 credits" in page
        assert '<dt>You have afterwards</dt><dd class="num">100</dd>' in page
        assert "50 at first" in page
        assert "Your plan trains for 3 hours at a time." in page

    def test_it_says_how_far_the_credits_go(self, owner, owner_client, draft, values):
        set_credits(owner, 120)
        assert "enough for about 120 steps" in self.estimate(owner_client, draft, **values)

    def test_it_says_what_is_missing_to_begin(self, owner, owner_client, draft, values):
        set_credits(owner, 20)
        page = self.estimate(owner_client, draft, **values)
        assert "Add 30 credits to begin." in page
        assert reverse("billing:account_detail") in page
        assert "<html" not in page

    @pytest.mark.parametrize("nonsense", ["", "x", "-5", "0", "99999999999", "1e3", "²"])
    def test_nonsense_is_estimated_as_if_it_was_left_alone(self, owner_client, draft, values, nonsense):
        page = self.estimate(owner_client, draft, **{**values, "steps": nonsense, "snapshot_every": nonsense})
        assert "<dt>Credits</dt>" in page

    def test_without_credits_it_is_402_and_the_draft_stays(self, owner, owner_client, draft):
        set_credits(owner, 20)
        response = owner_client.post(reverse("training:draft_start", args=[draft.pk]))
        assert response.status_code == 402
        page = response.content.decode()
        assert "This takes 50 credits and you have 20. Add 30, then try again." in page
        assert ExperimentDraft.objects.filter(pk=draft.pk).exists()
        assert not Experiment.objects.exists()
        assert balance_of(owner).available == 20

    def test_in_house_mode_nothing_has_a_price(self, owner_client, draft, settings, owner):
        settings.CREDITS_ENABLED = False
        page = self.start_page(owner_client, draft)
        assert "Start training<" in page
        assert "redit" not in page
        assert "hours" not in page
        assert owner_client.post(reverse("training:draft_start", args=[draft.pk])).status_code == 302
        run_pending("train")
        experiment = Experiment.objects.get()
        assert experiment.job.price_held == 0
        assert not CreditHold.objects.exists()
        assert "redit" not in page_of(owner_client, experiment)
