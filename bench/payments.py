"""What goes wrong with payments whose news comes late, twice, out of order or not at all.

python -m bench.payments [--quick] [--histories N]

Every history is played against the sandbox's Stripe, through the real client, on a PostgreSQL of its own:
somebody buys, upgrades, spends, is refunded, disputes, cancels; each event is delivered one to three times,
shuffled, and one in five is lost until the events are listed again. Then the end is compared with what
Stripe's objects say. The same histories are played with two naive handlers, which they have to catch.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import shutil
import tempfile
import time
from http import HTTPStatus
from pathlib import Path

import django

from config import embedded

HISTORIES = 10_000
# How many are enough to catch a naive handler.
NAIVE = 50
FUZZED = 5_000


def main() -> None:
    """Play the histories; print what was wrong, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    parser.add_argument("--histories", type=int, default=HISTORIES)
    options = parser.parse_args()
    count, naive = (40, 15) if options.quick else (options.histories, min(NAIVE, options.histories))
    data_dir = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    os.environ |= {"ATELIER_DATA": str(data_dir), "DJANGO_SETTINGS_MODULE": "bench.work.selling_settings"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(embedded.ensure_postgres(data_dir))
        stack.enter_context(embedded.ensure_redis(data_dir))
        django.setup()
        logging.disable(logging.CRITICAL)
        from django.core.management import call_command  # noqa: PLC0415 -- Django is set up only now

        from bench.work import payment_histories as histories  # noqa: PLC0415 -- as above
        from billing.shop import sync_shop  # noqa: PLC0415 -- as above

        call_command("migrate", verbosity=0)
        sync_shop()
        lines = []
        for name, handler, number in (
            ("ours", histories.right_handler, count),
            ("trusts_payloads", histories.trusting_handler, naive),
            ("dedupes_by_event_id", histories.deduplicating_handler, naive),
        ):
            began = time.perf_counter()
            wrong = 0
            for seed in range(number):
                problems = histories.play(seed, handler)
                wrong += bool(problems)
                if problems and name == "ours":
                    print(f"history {seed}: {problems}")
            seconds = time.perf_counter() - began
            print(f"{name}: {wrong} wrong ends in {number} histories, {seconds:.0f} s")
            lines.append(
                f"wrong_ends_{name} ratio={wrong / number:.4f} (ours={wrong}, baseline={number}, histories)"
            )
        lines.append(_fuzz(300 if options.quick else FUZZED))
    shutil.rmtree(data_dir)
    print()
    print("\n".join(lines))


def _fuzz(count: int) -> str:
    """Send webhooks with something wrong in them; return how many were answered with a 5xx."""
    from django.test import Client  # noqa: PLC0415 -- Django is set up only now

    from bench.work.webhooks import mutated  # noqa: PLC0415 -- as above

    chance, client = random.Random(55), Client(raise_request_exception=False)
    about = {"id": "cs_1", "object": "checkout.session", "customer": "cus_1"}
    event = {"id": "evt_1", "object": "event", "livemode": False, "created": 1_790_000_000}
    payload = json.dumps({**event, "type": "checkout.session.completed", "data": {"object": about}})
    failed = 0
    for _number in range(count):
        body, signature = mutated(payload, chance)
        headers = {"Stripe-Signature": signature}
        answer = client.post("/billing/stripe/webhook/", body, "application/json", headers=headers)
        failed += answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    print(f"fuzzed webhooks: {failed} of {count} answered with a 5xx")
    return f"fuzzed_webhooks_5xx ratio={failed / count:.4f} (ours={failed}, baseline={count}, webhooks)"


if __name__ == "__main__":
    main()
