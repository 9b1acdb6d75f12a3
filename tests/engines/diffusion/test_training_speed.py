"""What makes training quick changes none of its numbers."""

import pytest
import torch

from engines.diffusion.base import Base
from engines.diffusion.lora import add_lora, lora_parameters
from engines.diffusion.per_sample import per_sample
from engines.diffusion.training_speed import speed_up, training_dtype

OPTIONS = {"rank": 2, "layers": "all", "text": True, "convolutions": True}


@pytest.mark.parametrize("name", ["starter", "sd15"])
def test_quick_steps_give_the_gradients_of_pefts(base_folders, name):
    base = Base.open(base_folders(name))
    rng = torch.Generator().manual_seed(0)
    add_lora(base, "own", rng=rng, **OPTIONS)
    parameters = lora_parameters(base, "own")
    for parameter in parameters.values():
        parameter.data = torch.randn(parameter.shape, generator=rng) * 0.1
    latents = torch.randn(2, *base.latent_shape(32, 32), generator=rng)
    times = torch.tensor([100.0, 800.0])

    def outcome():
        predicted = base.predict(latents, times, base.encode_text(["a cat", ""]))
        gradients = torch.autograd.grad(predicted.square().mean(), list(parameters.values()))
        return predicted.detach(), gradients

    slow = outcome()
    speed_up(base, "own")
    quick = outcome()
    torch.testing.assert_close(quick[0], slow[0], rtol=1e-4, atol=1e-5)
    for one, other in zip(quick[1], slow[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    with per_sample(base, ["own", "own"], [0.0, 0.0]):
        assert not torch.equal(base.predict(latents, times, base.encode_text(["a cat", ""])), slow[0])
    torch.testing.assert_close(outcome()[0], quick[0])  # training goes on as before


def test_the_dtype_is_tried(base_folders):
    assert training_dtype(base_folders("starter"), 1000, torch.device("cpu")) in (
        torch.float32,
        torch.bfloat16,
    )
