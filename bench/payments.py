"""What goes wrong with payments whose news comes late, twice, out of order or not at all.

python -m bench.payments [--quick] [--histories N] [--processes P]

Every history is played against the sandbox's Stripe (its objects in memory), through the real client, on a
PostgreSQL of the bench's own: somebody buys, upgrades, spends, is refunded, disputes, cancels; each event is
delivered one to three times, shuffled, and one in five is lost until the events are listed again. Then the
end is compared with what Stripe's objects say. The same histories are played with two naive handlers, which
they have to catch.
"""

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import django

from config import embedded

HISTORIES = 10_000
# How many are enough to catch a naive handler.
NAIVE = 50
FUZZED = 5_000
# So often it is said how far it is.
TOLD_EVERY = 250

# What each process plays with: the Stripe in memory and the handler of events.
_playing: tuple[Any, Any] = (None, None)


def main() -> None:
    """Play the histories; print what was wrong, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    parser.add_argument("--histories", type=int, default=HISTORIES)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
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
        from bench.work.memory_stripe import in_memory  # noqa: PLC0415 -- as above
        from billing.shop import sync_shop  # noqa: PLC0415 -- as above

        call_command("migrate", verbosity=0)
        lines = []
        with in_memory() as stripe:
            sync_shop()
            stripe.keep()
            for name, handler, number in (
                ("ours", histories.right_handler, count),
                ("trusts_payloads", histories.trusting_handler, naive),
                ("dedupes_by_event_id", histories.deduplicating_handler, naive),
            ):
                wrong = _play_all(name, (stripe, handler), number, options.processes)
                figure = f"(ours={wrong}, baseline={number}, histories)"
                lines.append(f"wrong_ends_{name} ratio={wrong / number:.4f} {figure}")
        lines.append(_fuzz(300 if options.quick else FUZZED))
    shutil.rmtree(data_dir)
    print()
    print("\n".join(lines))


def _play_all(name: str, playing: tuple[Any, Any], count: int, processes: int) -> int:
    """Play so many histories in several processes; say how far it is, and return how many ended wrong."""
    from django.db import connections  # noqa: PLC0415 -- Django is set up only now

    connections.close_all()  # a connection is one process's
    began, wrong = time.perf_counter(), 0
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin_to_play, initargs=playing
    ) as pool:
        for seed, problems in enumerate(pool.map(_play, range(count), chunksize=5)):
            wrong += bool(problems)
            if problems and name == "ours":
                print(f"history {seed}: {problems}", flush=True)
            if (seed + 1) % TOLD_EVERY == 0 or seed + 1 == count:
                seconds = time.perf_counter() - began
                print(f"{name}: {wrong} wrong ends in {seed + 1} histories, {seconds:.0f} s", flush=True)
    return wrong


def _begin_to_play(*playing: Any) -> None:
    global _playing  # noqa: PLW0603 -- what the pool's tasks play with; it cannot be sent to them
    _playing = (playing[0], playing[1])
    playing[0].enter_process()


def _play(seed: int) -> list[str]:
    from bench.work import payment_histories  # noqa: PLC0415 -- Django is set up only now

    stripe, handler = _playing
    return payment_histories.play(stripe, seed, handler)


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
