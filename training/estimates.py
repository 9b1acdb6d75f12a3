"""What a training will cost, said before it starts and before it goes on."""

from dataclasses import dataclass

from accounts.models import User
from billing.models import Price
from billing.selectors import balance_of, plan_limits
from training.models import Experiment
from training.prices import next_slice_end, quote_steps, quote_training


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What so many steps cost, in credits, and what is there.

    `first` is held at once, for the steps until the first snapshot.
    """

    price: Price
    credits: int
    first: int
    available: int

    @property
    def balance_after(self) -> int:
        """What is left when all is done; below zero: what is missing for it."""
        return self.available - self.credits

    @property
    def missing_now(self) -> int:
        """What has to be added before it can begin; 0 when it can."""
        return max(0, self.first - self.available)

    @property
    def affordable_steps(self) -> int:
        """About how many steps what is there suffices for."""
        return self.available * self.price.per // max(1, self.price.credits)


def estimate_training(*, user: User, planned: Experiment) -> Estimate | None:
    """Estimate a training that is being set up, a row that is not stored; None in house mode. Two queries."""
    whole = quote_training(resolution=planned.resolution, steps=planned.steps)
    return _estimate(user, planned, whole.price, done=0)


def estimate_rest(experiment: Experiment) -> Estimate | None:
    """Estimate what is left to do of a training, at the price agreed at its start; None where it has none."""
    return _estimate(experiment.owner, experiment, experiment.job.price, done=experiment.job.delivered)


def hours_at_a_time(user: User) -> int | None:
    """Return for how long the user's plan lets a training run before it stops itself; None: no limit."""
    return plan_limits(user.pk).hours_at_a_time


def _estimate(user: User, experiment: Experiment, price: Price | None, *, done: int) -> Estimate | None:
    if price is None:
        return None
    first = quote_steps(price, after=done, until=next_slice_end(experiment, done))
    return Estimate(
        price=price,
        credits=quote_steps(price, after=done, until=experiment.steps).credits,
        first=first.credits,
        available=balance_of(user).available,
    )
