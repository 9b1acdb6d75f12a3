"""No job is lost, doubled, stuck or wrongly charged, whatever is killed and whenever.

`make test` runs a short script; `make chaos` a long one (CHAOS_SEED=N chooses another, CHAOS_SECONDS and
CHAOS_ORDERS how long it goes on and with how much work).
"""

import os
import random
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import OperationalError, close_old_connections

from billing.models import CreditHold
from jobs.models import Job
from jobs.states import ENDED_STATES
from jobs.sweeps import sweep_files
from tests.chaos import audit, invariants
from tests.chaos.script import Script

pytestmark = pytest.mark.django_db(transaction=True)

# The lease of tests.chaos.settings, and what a paused worker sleeps.
LEASE_SECONDS = 8
PAUSE_SECONDS = LEASE_SECONDS + 2
# A training takes seconds to start, one after the other.
SETTLE_SECONDS = 600


def test_a_short_script(processes, workload, capsys):
    run(processes, workload, orders=40, seconds=20, seed=1)
    settle(processes)
    verdict(workload, capsys)


@pytest.mark.chaos
def test_a_long_script(processes, workload, capsys):
    seed, seconds, orders = (
        int(os.environ.get(f"CHAOS_{name}", usual))
        for name, usual in (("SEED", 7), ("SECONDS", 240), ("ORDERS", 400))
    )
    run(processes, workload, orders=orders, seconds=seconds, seed=seed)
    settle(processes)
    verdict(workload, capsys)


def run(processes, workload, *, orders: int, seconds: float, seed: int) -> None:
    """Order and break things at random moments, evenly over the time."""
    rng = random.Random(seed)
    workload.rng = random.Random(seed + 1)
    workload.script = script = Script(processes, rng, pause_seconds=PAUSE_SECONDS)
    begin = time.monotonic()
    moments = [(rng.uniform(0, seconds), action) for action in [workload.order] * orders]
    moments += [(rng.uniform(0, seconds), workload.meddle) for _ in range(orders // 4)]
    moments += [(rng.uniform(2, seconds), script.strike) for _ in range(int(seconds))]
    for moment, action in sorted(moments, key=lambda planned: planned[0]):
        while time.monotonic() < begin + moment:
            time.sleep(0.02)
        try:
            action()
        except OperationalError:
            close_old_connections()


def settle(processes) -> None:
    """Let the studio alone until everything has ended."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        if not Job.objects.exclude(state__in=ENDED_STATES).exists():
            break
        time.sleep(0.1)
    # Whoever was paused wakes up and finds that it is too late; then nobody writes any more.
    time.sleep(PAUSE_SECONDS)
    time.sleep(1)
    processes.stop_all()


def verdict(workload, capsys) -> None:
    """Print the figures, and require every promise."""
    swept = sweep_files(older_than=timedelta())
    broken = invariants.broken()
    states = Counter(Job.objects.values_list("kind", "state"))
    attempts = list(Job.objects.values_list("attempt", flat=True))
    holds = list(CreditHold.objects.all())
    charged, released = (sum(getattr(hold, name) for hold in holds) for name in ("charged", "released"))
    lines = [
        f"Orders: {dict(workload.counts)}",
        f"Faults: {dict(workload.script.done)}, {sum(workload.script.done.values())} in all",
        *(f"  {kind:22} {state:10} {count:4}" for (kind, state), count in sorted(states.items())),
        f"{len(attempts)} jobs in {sum(attempts)} attempts, the most for one {max(attempts)}",
        f"{audit.writes()} writes, {len(audit.attempts_with_two_writers())} attempts with two writers",
        f"{len(holds)} holds: {charged} credits charged, {released} released",
        f"{len(swept)} files of killed attempts swept",
        f"{len(broken)} promises broken",
    ]
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert broken == []
