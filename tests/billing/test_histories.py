"""Random histories of payments end right, and the same ones catch two naive handlers (`bench.payments`)."""

import pytest

from bench.work import payment_histories as histories

pytestmark = pytest.mark.django_db


def test_histories_end_right_whatever_became_of_the_news():
    assert {
        seed: wrong for seed in range(10) if (wrong := histories.play(seed, histories.right_handler))
    } == {}


@pytest.mark.parametrize(
    "handler",
    [histories.trusting_handler, histories.deduplicating_handler],
    ids=["trusting", "deduplicating"],
)
def test_they_catch_a_naive_handler(handler):
    assert any(histories.play(seed, handler) for seed in range(25))
