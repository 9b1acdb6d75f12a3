"""Queues under a simulated clock: the studio's own, and plain first come, first served."""

import heapq
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from accounts.models import User
from jobs import registry
from jobs.claims import claim_job
from jobs.leases import finish_job
from jobs.models import Job, Queue, State
from jobs.registry import JobKind
from jobs.services import submit_job

KIND = JobKind(name="bench.simulated", queue=Queue.GENERATE, handler="bench.work.plain.nothing", title="Work")


@dataclass(kw_only=True)
class Order:
    """A job to be: who orders it, when, and how long it takes, in seconds of the simulated clock.

    `claimed_at` is what came of it. `turn` counts claims: this was the turn-th of all.
    """

    owner: str
    arrives_at: float
    seconds: float
    claimed_at: float = -1.0
    turn: int = -1

    @property
    def wait(self) -> float:
        """Seconds from submission to claim."""
        return self.claimed_at - self.arrives_at


class Line(Protocol):
    """A queue that a simulation drives."""

    def submit(self, order: Order) -> None:
        """An order arrives."""

    def claim(self) -> Order | None:
        """A worker takes the next order."""

    def end(self, order: Order) -> None:
        """A worker has done an order."""


class FirstComeFirstServed:
    """The baseline: in the order of arrival."""

    def __init__(self) -> None:
        self._waiting: deque[Order] = deque()

    def submit(self, order: Order) -> None:
        """Put it at the end."""
        self._waiting.append(order)

    def claim(self) -> Order | None:
        """Take the first."""
        return self._waiting.popleft() if self._waiting else None

    def end(self, order: Order) -> None:
        """Nothing is kept of it."""


class Studio:
    """The studio's own queue: every call is the service that the studio calls."""

    def __init__(self, users: dict[str, User]) -> None:
        registry.register(KIND)
        Job.objects.all().delete()
        self._users = users
        self._orders: dict[uuid.UUID, Order] = {}
        self._jobs: dict[int, Job] = {}

    def submit(self, order: Order) -> None:
        """Submit its job."""
        job = submit_job(owner=self._users[order.owner], kind=KIND.name, label="")
        self._orders[job.pk] = order

    def claim(self) -> Order | None:
        """Claim the fairest job."""
        job = claim_job(queue=KIND.queue, worker="bench")
        if job is None:
            return None
        order = self._orders.pop(job.pk)
        self._jobs[id(order)] = job
        return order

    def end(self, order: Order) -> None:
        """Finish its job."""
        finish_job(self._jobs.pop(id(order)), State.SUCCEEDED)


def simulate(orders: Sequence[Order], line: Line, *, workers: int) -> None:
    """Drive a queue with orders, in the order of their arrival, and write down when each got its turn."""
    busy: list[tuple[float, int, Order]] = []
    arriving = deque(orders)
    turn = 0
    while arriving or busy:
        arrives_next = not busy or (arriving and arriving[0].arrives_at <= busy[0][0])
        if arrives_next:
            now = arriving[0].arrives_at
            line.submit(arriving.popleft())
        else:
            now, _turn, done = heapq.heappop(busy)
            line.end(done)
        while len(busy) < workers and (order := line.claim()) is not None:
            order.claimed_at, order.turn = now, turn
            heapq.heappush(busy, (now + order.seconds, turn, order))
            turn += 1
