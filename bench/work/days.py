"""Days of synthetic load, and what they say about fairness."""

import copy
import random
import statistics
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.core.management import call_command

from accounts.models import User
from bench.work.figures import ratio
from bench.work.queues import FirstComeFirstServed, Line, Order, Studio, simulate
from billing.models import Plan
from billing.services import open_account

WORKERS = 4
JOB_SECONDS = 60.0
# How many orders come in each hour of the day, from 0 to 9.
TIDE = [int(digit) for digit in "211112356899889987788643"]
SEED = 20

Weights = Mapping[str, int]


def measure(*, is_quick: bool) -> list[str]:
    """Run the three days and return their last lines."""
    call_command("migrate", verbosity=0)
    scale = 0.06 if is_quick else 1.0
    return [
        *ordinary_day(hours=24 * scale),
        *overloaded_day(hours=24 * scale),
        *thousand_rows(rows=60 if is_quick else 1000),
    ]


def ordinary_day(*, hours: float) -> list[str]:
    """Forty Free and ten Pro users with a tide over the day, and one of each who sends hundreds at once."""
    draw = random.Random(SEED)
    weights = {f"free {n}": 1 for n in range(40)} | {f"pro {n}": 2 for n in range(10)}
    names = [*weights]
    end = hours * 3600
    arrivals: list[Order] = []
    now = 0.0
    busiest = 0.95 * WORKERS / JOB_SECONDS  # nearly all that can be done: what floods in comes on top
    while (now := now + draw.expovariate(busiest)) < end:
        if draw.random() < TIDE[int(now / end * 24)] / 9:
            arrivals.append(_order(draw, draw.choice(names), now))
    for flooder, at in (("free flood", 0.35), ("pro flood", 0.55)):
        arrivals += [_order(draw, flooder, at * end) for _row in range(round(300 * hours / 24))]
    weights |= {"free flood": 1, "pro flood": 2}
    ours, plain = _both(arrivals, weights)
    groups = {
        "Free": [name for name in names if weights[name] == 1],
        "Pro (weight 2)": [name for name in names if weights[name] == 2],
        "Free, floods": ["free flood"],
        "Pro, floods": ["pro flood"],
    }
    print(
        f"\nAn ordinary day: {hours:.1f} h, {len(ours)} jobs of about {JOB_SECONDS:.0f} s, {WORKERS} workers"
    )
    _print_waits(groups, ours, plain)
    light = groups["Free"] + groups["Pro (weight 2)"]
    share, plain_share = _worst_share(ours, weights), _worst_share(plain, weights)
    print(f"  turns of others before one's own, of the fair share: {share:.2f}, first come {plain_share:.2f}")
    return [
        ratio("p95_wait_of_light_users", _p95(_waits(ours, light)), _p95(_waits(plain, light)), "s"),
        ratio("worst_wait_of_a_first_job", _worst_first(ours, light), _worst_first(plain, light), "s"),
        ratio("worst_turns_of_fair_share", share, plain_share, "of the fair share"),
    ]


def overloaded_day(*, hours: float) -> list[str]:
    """One Pro user orders half as much again as can be done, all day; nine Free users order now and then."""
    draw = random.Random(SEED)
    end = hours * 3600
    weights = {"pro": 2} | {f"free {n}": 1 for n in range(9)}
    arrivals = [_order(draw, "pro", at) for at in _evenly(end, JOB_SECONDS / WORKERS / 1.5)]
    for name in weights:
        if name != "pro":
            arrivals += [_order(draw, name, draw.uniform(0, end)) for _job in range(max(2, round(hours * 2)))]
    ours, plain = _both(arrivals, weights)
    free = [name for name in weights if name != "pro"]
    print(f"\nOverloaded all day by one Pro user: {hours:.1f} h, {len(ours)} jobs, {WORKERS} workers")
    _print_waits({"Free": free, "Pro (weight 2)": ["pro"]}, ours, plain)
    halves = [
        max(order.wait for order in ours if order.owner != "pro" and (order.arrives_at < end / 2) == is_first)
        for is_first in (True, False)
    ]
    print(
        f"  worst wait of a Free user, first and second half of the day: {halves[0]:.0f} s, {halves[1]:.0f} s"
    )
    return [
        ratio("worst_wait_under_overload", max(_waits(ours, free)), max(_waits(plain, free)), "s"),
        ratio("median_wait_under_overload", _median(_waits(ours, free)), _median(_waits(plain, free)), "s"),
    ]


def thousand_rows(*, rows: int) -> list[str]:
    """One user's rows wait; another's first job comes: how many jobs' length is it delayed, on one worker?"""
    flood = [Order(owner="free flood", arrives_at=0.0, seconds=JOB_SECONDS) for _row in range(rows)]
    late = Order(owner="free 0", arrives_at=JOB_SECONDS / 2, seconds=JOB_SECONDS)
    ours, plain = _both([*flood, late], {"free flood": 1, "free 0": 1}, workers=1)
    delays = [
        next(order.wait for order in orders if order.owner == "free 0") / JOB_SECONDS
        for orders in (ours, plain)
    ]
    print(f"\n{rows} waiting rows of one user: another's first job waits {delays[0]:.2f} jobs' length,")
    print(f"  first come, first served {delays[1]:.2f}")
    return [ratio("delay_behind_many_rows", delays[0], delays[1], "jobs")]


def _order(draw: random.Random, owner: str, at: float) -> Order:
    # The mean of this distribution is exp(mu + sigma^2 / 2) = 1.
    seconds = draw.lognormvariate(-0.18, 0.6) * JOB_SECONDS
    return Order(owner=owner, arrives_at=at, seconds=seconds)


def _evenly(end: float, gap: float) -> Iterable[float]:
    return (number * gap for number in range(int(end / gap)))


def _both(
    arrivals: Sequence[Order], weights: Weights, *, workers: int = WORKERS
) -> tuple[list[Order], list[Order]]:
    """Run the same arrivals through the studio's queue and through the baseline."""
    results = []
    lines: list[Line] = [Studio(_users(weights)), FirstComeFirstServed()]
    for line in lines:
        orders = sorted((copy.copy(order) for order in arrivals), key=lambda order: order.arrives_at)
        simulate(orders, line, workers=workers)
        results.append(orders)
    return results[0], results[1]


def _users(weights: Weights) -> dict[str, User]:
    """Users whose plans have these weights."""
    plans = {1: Plan.objects.get(slug="free"), 2: Plan.objects.get(slug="pro")}
    users = {}
    for name, weight in weights.items():
        address = f"{name.replace(' ', '-')}@example.org"
        user = User.objects.filter(email=address).first() or User.objects.create_user(address)
        account = open_account(user=user)
        account.plan = plans[weight]
        account.save(update_fields=["plan"])
        users[name] = user
    return users


def _worst_share(orders: Sequence[Order], weights: Weights) -> float:
    """The most turns that others had before anybody's, relative to what is fair.

    Fair is for each other user who had a turn meanwhile: as many as go with that user's weight to each of the
    waiting user's own jobs up to this one, and one more, since nothing that has begun is broken off.
    """
    by_turn = sorted(orders, key=lambda order: order.turn)
    worst = 0.0
    for order, own_ahead, first_turn in _as_they_came(orders):
        others = Counter(
            other.owner for other in by_turn[first_turn : order.turn] if other.owner != order.owner
        )
        if others:
            own = own_ahead + 1
            fair = sum(own * weights[name] / weights[order.owner] + 1 for name in others)
            worst = max(worst, others.total() / fair)
    return worst


def _worst_first(orders: Sequence[Order], names: Sequence[str]) -> float:
    """The longest wait of a job whose owner had nothing else waiting."""
    firsts = (order for order, own_ahead, _turn in _as_they_came(orders) if own_ahead == 0)
    return max(order.wait for order in firsts if order.owner in names)


def _as_they_came(orders: Sequence[Order]) -> Iterator[tuple[Order, int, int]]:
    """Yield each order with the number of its owner's that were waiting, and of turns that had been taken."""
    waiting: Counter[str] = Counter()
    claims = deque(sorted(orders, key=lambda order: order.turn))
    turn = 0
    for order in sorted(orders, key=lambda order: order.arrives_at):
        while claims and claims[0].claimed_at < order.arrives_at:
            waiting[claims.popleft().owner] -= 1
            turn += 1
        yield order, waiting[order.owner], turn
        waiting[order.owner] += 1


def _print_waits(groups: Mapping[str, Sequence[str]], ours: Sequence[Order], plain: Sequence[Order]) -> None:
    print(f"  {'':16} {'':6} {'ours, s':>24}      {'first come, s':>24}")
    print(
        f"  {'':16} {'jobs':>6} {'median':>8}{'p95':>8}{'worst':>8}      {'median':>8}{'p95':>8}{'worst':>8}"
    )
    for title, names in groups.items():
        sides = [_waits(orders, names) for orders in (ours, plain)]
        columns = [f"{_median(side):8.0f}{_p95(side):8.0f}{max(side):8.0f}" for side in sides]
        print(f"  {title:16} {len(sides[0]):6} {columns[0]}      {columns[1]}")


def _waits(orders: Sequence[Order], names: Sequence[str]) -> list[float]:
    return [order.wait for order in orders if order.owner in set(names)]


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
