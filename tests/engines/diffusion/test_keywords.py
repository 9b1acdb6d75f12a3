"""Names that mean something to a base, and names that do not."""

import pytest
import torch

from engines.diffusion.base import Base
from engines.diffusion.keywords import meanings, new_keyword, token_counts
from engines.diffusion.lora import add_lora, lora_parameters
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


def test_loras_inside_the_base_change_nothing(base_folders):
    base = Base.open(base_folders("starter"))
    before = meanings(base, ["kimono"])
    rng = torch.Generator().manual_seed(0)
    add_lora(base, "own", rank=2, layers="all", text=True, rng=rng, keyword="kimono")
    for parameter in lora_parameters(base, "own").values():
        parameter.data += 1.0
    assert meanings(base, ["kimono"])[0].distance == pytest.approx(before[0].distance, rel=1e-4)
