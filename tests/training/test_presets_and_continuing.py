"""The finer preset and continued experiments: paid, stopped, resumed and told like any other."""

import pytest
from django.core import mail

from billing.models import Price
from billing.services import revise_price
from jobs.models import State
from jobs.testing import run_pending
from tests.training.test_paying import money
from tests.wallets import give_credits, set_credits
from training import services
from training.models import Experiment


@pytest.fixture(autouse=True)
def price(db) -> Price:
    """One credit a step."""
    return revise_price(price=Price(code="experiment-64", label="Steps", credits=1, per=1))


def run_out_and_go_on(experiment: Experiment, *, steps: int) -> None:
    """Train with credits for the first slice alone; then add the rest and resume."""
    (job,) = run_pending("train")
    assert (job.state, job.step) == (State.STOPPED, steps // 2)
    assert "Your credits ran out" in job.error
    run_pending("light")
    assert "Add credits, then press Resume." in mail.outbox[-1].body
    give_credits(experiment.owner, steps)
    services.resume_training(training=experiment)
    (job,) = run_pending("train")
    run_pending("light")
    assert (job.state, job.step) == (State.SUCCEEDED, steps)
    assert [message.subject.split()[-1] for message in mail.outbox[-2:]] == ["stopped", "done"]
    assert money(experiment)[2] == steps
    assert [len(snapshot.nearest) for snapshot in experiment.snapshots.all()] == [28, 28]


def test_the_finer_preset_from_scratch_in_parts_of_a_batch(dataset, owner):
    set_credits(owner, 1)
    experiment = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=None, preset="cpu64-hq", steps=2,
        settings={"batch": 4, "micro_batch": 2, "snapshot_every": 1},
    )  # fmt: skip
    assert (experiment.preset, experiment.resolution) == ("cpu64-hq", 64)
    run_out_and_go_on(experiment, steps=2)


def test_an_experiment_that_continues_another(trained, dataset, owner):
    run_pending("light")
    snapshot = trained.snapshots.get(step=4)
    version = services.save_model(experiment=trained, snapshot=snapshot)
    set_credits(owner, 4)
    experiment = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=version, continued_from=snapshot, steps=8,
        settings={"batch": 4, "snapshot_every": 4},
    )  # fmt: skip
    assert experiment.continued_from == snapshot
    run_out_and_go_on(experiment, steps=8)
