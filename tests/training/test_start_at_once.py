"""Starting a training beside other orders of the same person, on real PostgreSQL with real threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from jobs.fairness import lock_line
from jobs.services import submit_job
from tests.jobs import kinds
from tests.wallets import set_credits
from training import services

pytestmark = pytest.mark.django_db(transaction=True)

kinds.register_all()


def wait_for_the_line():
    """Return once another connection waits for a person's line."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_a_training_and_an_image_ordered_at_once_do_not_stop_each_other(ai_dataset, weightless_base, owner):
    """Each job points to its owner's row: who holds that, and waits for the line, must let them."""
    set_credits(owner, 1000)
    has_line = threading.Event()

    def order():
        try:
            with transaction.atomic():
                lock_line(owner.pk)
                has_line.set()
                wait_for_the_line()
                return submit_job(owner=owner, kind="test.relaxable", label="image").pk
        finally:
            connection.close()

    def start():
        try:
            assert has_line.wait(60)
            training = services.start_ai_training(
                owner=owner,
                dataset=ai_dataset,
                base=weightless_base,
                name="Rex",
                keyword="customrexmodel",
                subject="mug",
                steps=8,
            )
            return training.job.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(order), pool.submit(start)]
        assert len({future.result() for future in made}) == 2
