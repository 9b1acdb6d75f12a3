"""Amounts in words."""

import pytest

from billing.amounts import write_price
from billing.models import Price


@pytest.mark.parametrize(
    ("code", "credits_", "per", "words"),
    [
        ("ai-training", 1000, 1, "1,000 credits for each training"),
        ("picture", 5, 1, "5 credits for each image"),
        ("experiment-64", 10, 1000, "10 credits for 1,000 steps"),
        ("run-extract", 1, 1, "1 credit for each run"),
        ("an-operators-own", 2, 10, "2 credits for 10 pieces"),
    ],
)
def test_prices_are_written_as_people_say_them(code, credits_, per, words):
    assert write_price(Price(code=code, credits=credits_, per=per)) == words
