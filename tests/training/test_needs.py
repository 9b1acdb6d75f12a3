"""How many pictures a training needs."""

import pytest

from training.models import Purpose
from training.needs import readiness

AI_TRAININGS = [Purpose.CHARACTER, Purpose.STYLE, Purpose.OBJECT]


@pytest.mark.parametrize(
    ("count", "level", "is_enough", "sentence"),
    [
        (0, "poor", False, "Add 50 more"),
        (49, "poor", False, "Add 1 more"),
        (50, "fair", True, "500 to 5,000"),
        (500, "good", True, "Enough for a good training"),
    ],
)
def test_experiments(count, level, is_enough, sentence):
    found = readiness(count)
    assert (found.level, found.is_enough) == (level, is_enough)
    assert sentence in found.sentence


@pytest.mark.parametrize("purpose", AI_TRAININGS)
@pytest.mark.parametrize(
    ("count", "level", "is_enough", "sentence"),
    [
        (4, "poor", False, "needs at least 5 pictures. Add 1 more"),
        (5, "fair", True, "15 to 25"),
        (14, "fair", True, "15 to 25"),
        (15, "good", True, "Enough for a good training"),
        (400, "good", True, "Enough for a good training"),
    ],
)
def test_ai_trainings(purpose, count, level, is_enough, sentence):
    found = readiness(count, purpose)
    assert (found.level, found.is_enough) == (level, is_enough)
    assert sentence in found.sentence
