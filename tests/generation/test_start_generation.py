"""Ordering pictures, below the form."""

from functools import partial

import pytest

from generation.exceptions import TooManyWaitingError
from generation.models import Generation
from generation.services import start_generation
from jobs.models import Job
from jobs.testing import run_pending
from tests.catalog.at_once import at_once


def test_order_and_job_belong_together(order, owner):
    generation = order(seeds=[1, 2])
    assert (generation.job.owner, generation.job.state) == (owner, "queued")
    assert (generation.job.queue, generation.job.total) == ("generate", 2)
    assert generation.job.label == "2 images from Faces"
    assert (generation.seeds, generation.truncation_psi, generation.count) == ([1, 2], 0.7, 2)


@pytest.mark.parametrize("seeds", [[], list(range(65))])
def test_number_of_seeds_is_bounded(order, seeds):
    with pytest.raises(ValueError, match="seeds"):
        order(seeds=seeds)
    assert not Job.objects.exists()


def test_orders_that_wait_are_bounded_per_person(order, stranger, settings):
    settings.GENERATIONS_WAITING_MAX = 2
    order()
    order()
    with pytest.raises(TooManyWaitingError, match="2 orders"):
        order()
    assert Generation.objects.count() == Job.objects.count() == 2
    order(by=stranger)
    run_pending("generate")
    order()


@pytest.mark.django_db(transaction=True)
def test_orders_at_once_keep_to_the_limit(version, owner, settings):
    settings.GENERATIONS_WAITING_MAX = 2
    place = partial(start_generation, owner=owner, version=version, seeds=[1], truncation_psi=1.0)
    outcomes = at_once([place] * 5)
    assert sum(isinstance(outcome, TooManyWaitingError) for outcome in outcomes) == 3
    assert Generation.objects.count() == 2
