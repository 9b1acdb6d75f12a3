"""Names that mean something to a base, and names that do not."""

import pytest

from engines.diffusion.keywords import meanings, new_keyword, token_counts
from engines.errors import ConfigError


def test_a_word_of_the_vocabulary_is_known(open_base):
    known, invented = meanings(open_base("sd15"), ["cat", "zoxumi"])
    assert known.tokens == 1
    assert known.is_known
    assert invented.tokens == 6


def test_names_that_read_otherwise_lie_farther_away(open_base, family):
    near, far = meanings(open_base(family), ["kimono", "red cat red cat"])
    assert 0 < near.distance < far.distance


def test_a_new_keyword_is_unknown_and_the_same_for_the_same_seed(open_base):
    base = open_base("starter")
    keyword = new_keyword(base, seed=1)
    assert keyword == new_keyword(base, seed=1) != new_keyword(base, seed=2)
    assert not meanings(base, [keyword])[0].is_known


def test_prompts_that_are_cut_can_be_told(open_base):
    assert token_counts(open_base("sd15"), ["red cat", "x" * 40]) == [(2, 22), (40, 22)]


def test_an_empty_name_is_refused(open_base):
    with pytest.raises(ConfigError, match="at least one letter"):
        meanings(open_base("sd15"), [" "])
