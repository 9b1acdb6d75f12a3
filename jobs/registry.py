"""The kinds of work. Each app registers its own in `AppConfig.ready`; jobs itself knows none."""

from dataclasses import dataclass

from django.utils.functional import Promise

from jobs.models import Queue


@dataclass(frozen=True, kw_only=True)
class JobKind:
    """A kind of work and who does it.

    Attributes:
        name: "app.noun", stored on every row.
        queue: which workers take it.
        handler: dotted path of `def handler(context: JobContext) -> Outcome`, imported in a worker only.
        title: what people read.
        resumable: whether a stopped or failed job can go on from what it has saved. Such a job also keeps
            its number of threads, so that going on is bit for bit the same.
        max_failures: so many faults, and the job has failed.
        lease_seconds: how long a silent worker keeps the job; None: the setting JOBS_LEASE_SECONDS.
        batch_size: above 1, waiting jobs with the same `batch_key` are claimed together, up to so many units
            (`Job.total`) in all. Their handler and `compute` are then as `jobs.attempts` describes.
        compute: dotted path of what does together what the handlers of a batch ask for.
        hands_over: whether `compute` takes a second argument, by which it hands results over one by one.
        on_end: dotted path of `def on_end(job: Job) -> None`, called inside the transaction in which a job
            ends (in a web process, a worker or the dispatcher: it must not import torch).
        end_mail: dotted path of `def letter(job: Job) -> Letter | None`: what the owner is written when a job
            ends that they did not stop themselves (`jobs.mail`); called later, in a light worker.
        is_limited: whether the plan's limits apply: jobs at once and hours at a time.
        may_relax: whether it is done for nothing, behind what is paid for, when its owner's credits are used
            up and the plan says so (`Plan.relaxed_queue`).
        slice_end: dotted path of `def slice_end(job: Job) -> int`, for a job that is paid slice by slice: how
            many units are to be delivered when its next slice ends. None: it is paid in one.
        takes_no_turn: whether it is so short, and looked at while it is made, that it stands in nobody's
            line: it waits at the queue's present turn, in the order of arrival, and moves none of its owner's
            jobs.
        cost: dotted path of `def cost(job: Job, units: int) -> int`: the credits of so many delivered units,
            where that is not simply the price of as many.
    """

    name: str
    queue: Queue
    handler: str
    title: str | Promise
    resumable: bool = False
    max_failures: int = 3
    lease_seconds: int | None = None
    batch_size: int = 1
    compute: str | None = None
    hands_over: bool = False
    on_end: str | None = None
    end_mail: str | None = None
    is_limited: bool = False
    may_relax: bool = False
    takes_no_turn: bool = False
    slice_end: str | None = None
    cost: str | None = None


_kinds: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    """Make a kind known. Raises ValueError when its name already means something else."""
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"The job kind {kind.name} is registered twice.")


def get(name: str) -> JobKind:
    """Return a kind by its name. Raises KeyError for one that no installed app registered."""
    return _kinds[name]


def names(queue: str) -> list[str]:
    """Return the names of a queue's kinds: a worker leaves alone what it does not know."""
    return [kind.name for kind in _kinds.values() if kind.queue == queue]


def limited_names() -> list[str]:
    """Return the names of the kinds to which the plan's limits apply."""
    return [kind.name for kind in _kinds.values() if kind.is_limited]


def turnless_names() -> list[str]:
    """Return the names of the kinds that stand in nobody's line."""
    return [kind.name for kind in _kinds.values() if kind.takes_no_turn]
