"""Random histories of payments end right, and the same ones catch two naive handlers (`bench.payments`)."""

import pytest

from bench.work import payment_histories as histories
from bench.work.memory_stripe import in_memory

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe():
    with in_memory() as stripe:
        yield stripe


def test_histories_end_right_whatever_became_of_the_news(stripe):
    ends = {seed: histories.play(stripe, seed, histories.right_handler) for seed in range(10)}
    assert {seed: wrong for seed, wrong in ends.items() if wrong} == {}


@pytest.mark.parametrize(
    "handler",
    [histories.trusting_handler, histories.deduplicating_handler],
    ids=["trusting", "deduplicating"],
)
def test_they_catch_a_naive_handler(stripe, handler):
    assert any(histories.play(stripe, seed, handler) for seed in range(25))
