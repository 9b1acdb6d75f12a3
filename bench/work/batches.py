"""What it gains that orders which wait for the same model are made together."""

import statistics
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max, Min

from accounts.models import User
from bench.work.figures import ratio
from bench.work.processes import running, wait_until
from billing.models import CreditGrant
from billing.services import grant_credits, open_account
from catalog.models import ModelVersion
from catalog.services.seed import seed_catalog
from generation.services import start_generation
from jobs.models import ACTIVE_STATES, Job, State

_ORDERS = 32


def measure(owner: User, *, is_quick: bool) -> list[str]:
    """Return the last lines of this section."""
    seed_catalog()
    version = ModelVersion.objects.get(model__name="drawn-faces")
    users = [owner, User.objects.create_user("batches@example.org")]
    for user in users:
        account = open_account(user=user)
        grant_credits(
            account=account, source=CreditGrant.Source.PROMO, source_ref=f"bench:{user.pk}", amount=10**6
        )
    return [batch_throughput(users, version, rounds=2 if is_quick else 10)]


def batch_throughput(users: Sequence[User], version: ModelVersion, *, rounds: int) -> str:
    """Time 32 orders of one picture that wait for the shipped starter, made in batches.

    The baseline is the same orders, made one by one. From the first one's start to the last one's end.
    """
    speeds: dict[str, list[float]] = {"together": [], "one by one": []}
    with running("manage.py", "worker", "generate"):
        make_orders(users, version, are_together=True)  # torch is imported, the model loaded
        for _round in range(rounds):
            for name, pictures_a_second in speeds.items():
                pictures_a_second.append(make_orders(users, version, are_together=name == "together"))
    print(f"\n{_ORDERS} orders of one picture of 64 px, {rounds} times each, in pictures a second")
    for name, values in speeds.items():
        print(f"  {name:14} median {statistics.median(values):7.1f}")
    return ratio(
        "batched_orders",
        statistics.median(speeds["together"]),
        statistics.median(speeds["one by one"]),
        "pictures/s",
    )


def make_orders(users: Sequence[User], version: ModelVersion, *, are_together: bool) -> float:
    """Submit orders at once and wait until they are done. Return how many were made a second."""
    with transaction.atomic():
        orders = [
            start_generation(
                owner=users[number % len(users)], version=version, seeds=[number], truncation_psi=0.7
            )
            for number in range(_ORDERS)
        ]
        jobs = Job.objects.filter(pk__in=[order.job_id for order in orders])
        if not are_together:
            jobs.update(batch_key="")
    wait_until(lambda: not jobs.filter(state__in=ACTIVE_STATES).exists())
    assert jobs.filter(state=State.SUCCEEDED).count() == _ORDERS
    times = jobs.aggregate(begin=Min("started_at"), end=Max("finished_at"))
    return _ORDERS / float((times["end"] - times["begin"]).total_seconds())
