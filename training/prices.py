"""What a training costs: so many credits for 1,000 steps at its size, paid from snapshot to snapshot."""

from pathlib import Path

from billing.models import Price
from billing.selectors import Quote, quote_price
from engines.stylegan.config import PRESETS, TrainConfig
from jobs.models import Job
from training.models import Experiment

# The smallest resolution that the price list names; what is smaller costs the same.
MIN_PRICED_RESOLUTION = 64


def quote_training(*, resolution: int, steps: int) -> Quote:
    """Return what so many steps cost now. Raises UnknownPrice where the price list lacks the resolution."""
    return quote_price(f"experiment-{max(resolution, MIN_PRICED_RESOLUTION)}", steps)


def quote_steps(price: Price | None, *, after: int, until: int) -> Quote:
    """Return what the steps of one slice cost: the price of all until its end less that of all before it."""
    if price is None:
        return Quote(credits=0, price=None)
    return Quote(credits=price.for_quantity(until) - price.for_quantity(after), price=price)


def is_slice_end(experiment: Experiment, step: int) -> bool:
    """Whether a slice ends with the snapshot of this step: a planned one, not one that was asked for."""
    return step == experiment.steps or step % snapshot_interval(experiment) == 0


def next_slice_end(experiment: Experiment, step: int) -> int:
    """Return the step of the next planned snapshot."""
    interval = snapshot_interval(experiment)
    return min(experiment.steps, (step // interval + 1) * interval)


def snapshot_interval(experiment: Experiment) -> int:
    """Return how many steps lie between two planned snapshots."""
    return config_of(experiment).snapshot_every


def config_of(experiment: Experiment) -> TrainConfig:
    """Return how an experiment is trained, without the folders and files of a machine."""
    start = Path() if experiment.starting_point_id else None
    values = {"steps": experiment.steps, **experiment.settings}
    return PRESETS[experiment.preset].config(dataset=Path(), run_dir=Path(), start=start, **values)


def slice_end(job: Job) -> int:
    """Return the step up to which an experiment's job is paid next: what its kind is registered with."""
    return next_slice_end(Experiment.objects.get(job=job), job.delivered)
