"""Seeds as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.seeds import MAX_COUNT, MAX_SEED, format_seeds, new_first_seed, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", [7]),
        ("3, 8, 20-23", [3, 8, 20, 21, 22, 23]),
        ("3 8;9\n10", [3, 8, 9, 10]),
        (" 1 - 3 ", [1, 2, 3]),
        ("5–6", [5, 6]),
        ("9, 3, 9, 2-4", [9, 3, 2, 4]),
        (f"{MAX_SEED}", [MAX_SEED]),
        ("007", [7]),
    ],
)
def test_parse(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    ["", ",", "x", "1,x", "-1", "1-", "3-1", "1.5", "1e3", f"{MAX_SEED + 1}", "0-64", "0-9999999999",
     "1" * 500, "１-x", ",".join(map(str, range(65))), "<script>"],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=r"\.$"):
        parse_seeds(text)


@given(st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=MAX_COUNT, unique=True))
def test_format_and_parse_are_inverse(seeds):
    assert parse_seeds(format_seeds(seeds)) == seeds


def test_neighbours_are_written_as_a_range():
    assert format_seeds([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


def test_new_seeds_fit():
    for _ in range(100):
        assert 0 <= new_first_seed() <= MAX_SEED - MAX_COUNT
