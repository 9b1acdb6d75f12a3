import pytest
import torch

from engines import hardware
from engines.errors import ConfigError
from engines.stylegan.randomness import Purpose, numpy_rng, torch_rng

CPU = torch.device("cpu")


def test_precision_asked_for_is_precision_given():
    assert hardware.compute_dtype("fp32", CPU) is torch.float32
    assert hardware.compute_dtype("bf16", CPU) is torch.bfloat16


def test_bfloat16_is_chosen_only_where_a_trial_shows_it_faster():
    assert hardware.bf16_speedup(CPU) > 0
    faster = hardware.bf16_speedup(CPU) >= hardware.WORTHWHILE_SPEEDUP
    assert hardware.compute_dtype("auto", CPU) is (torch.bfloat16 if faster else torch.float32)


def test_tuning_the_allocator_can_be_repeated():
    assert hardware.tune_allocator() == hardware.tune_allocator()


def test_random_streams_depend_on_seed_purpose_and_step_only():
    def numbers(*key):
        return torch.randn(3, generator=torch_rng(*key)).tolist() + numpy_rng(*key).random(3).tolist()

    base = numbers(1, Purpose.GENERATOR, 5)
    torch.manual_seed(3)
    assert numbers(1, Purpose.GENERATOR, 5) == base
    others = [(2, Purpose.GENERATOR, 5), (1, Purpose.DISCRIMINATOR, 5), (1, Purpose.GENERATOR, 6)]
    assert all(set(numbers(*key)).isdisjoint(base) for key in others)


def test_a_graphics_card_is_taken_where_there_is_one(monkeypatch):
    assert hardware.training_device("cpu") == CPU
    if torch.cuda.is_available():
        assert hardware.training_device("auto").type == "cuda"
    else:
        assert hardware.training_device("auto") == CPU
    monkeypatch.setenv("LOCAL_RANK", "99")
    with pytest.raises(ConfigError, match="card number 100"):
        hardware.training_device("cuda")
