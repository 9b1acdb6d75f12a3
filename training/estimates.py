"""How long a training will take and what it will cost, said before it starts and before it goes on."""

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import User
from billing.models import Price
from billing.selectors import balance_of, plan_limits
from training.models import Dataset, Experiment
from training.prices import next_slice_end, quote_steps, quote_training
from training.speeds import MachinesHere, megapixels_of, seconds_of, speed_of
from training.starts import Start


@dataclass(frozen=True, kw_only=True)
class Cost:
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


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a training takes once a worker has it, and what it costs.

    `seconds` is None where no machine that is here has been measured; `cost` is None where nothing is priced.
    """

    seconds: float | None
    cost: Cost | None


def estimate_training(
    *,
    user: User,
    planned: Experiment,
    dataset: Dataset | None = None,
    machines: MachinesHere | None = None,
) -> Estimate:
    """Estimate a training that is being set up, a row that is not stored. At most four queries.

    Without a dataset the time is that with pictures that are ready. `machines` is what is known of them,
    where it has been asked already.
    """
    price = quote_training(resolution=planned.resolution, steps=planned.steps).price
    speed = (machines or MachinesHere()).speed_of(planned)
    seconds = None
    if speed is not None:
        pictures, megapixels = (dataset.picture_count, megapixels_of(dataset)) if dataset else (0, 0.0)
        seconds = seconds_of(planned, speed, pictures=pictures, megapixels=megapixels)
    return Estimate(seconds=seconds, cost=_cost(user, planned, price, done=0))


def estimate_rest(experiment: Experiment) -> Estimate:
    """Estimate what is left to do of a training, at the price agreed at its start. At most three queries."""
    speed, done = speed_of(experiment), experiment.job.step
    seconds = None
    if speed is not None:
        pictures = experiment.dataset_version.count
        seconds = seconds_of(experiment, speed, pictures=pictures, done=done)
    cost = _cost(experiment.owner, experiment, experiment.job.price, done=experiment.job.delivered)
    return Estimate(seconds=seconds, cost=cost)


def usual_times(starts: Iterable[Start], machines: MachinesHere) -> list[tuple[Start, float | None]]:
    """Say of each starting point how many seconds its usual steps take on the fastest machine that is here.

    None where no machine has been measured; with pictures that are ready.
    """

    def seconds(start: Start) -> float | None:
        planned = start.plan(steps=start.usual_steps)
        speed = machines.speed_of(planned)
        return None if speed is None else seconds_of(planned, speed, pictures=0)

    return [(start, seconds(start)) for start in starts]


def hours_at_a_time(user: User) -> int | None:
    """Return for how long the user's plan lets a training run before it stops itself; None: no limit."""
    return plan_limits(user.pk).hours_at_a_time


def _cost(user: User, experiment: Experiment, price: Price | None, *, done: int) -> Cost | None:
    if price is None:
        return None
    first = quote_steps(price, after=done, until=next_slice_end(experiment, done))
    return Cost(
        price=price,
        credits=quote_steps(price, after=done, until=experiment.steps).credits,
        first=first.credits,
        available=balance_of(user).available,
    )
