"""Noise and flow: mixing, targets and weights against plain formulas."""

import math
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from engines.diffusion.objectives import Flow, Noise, objective_of

CLEAN, NOISE = torch.randn(2, 4, 4, 4), torch.randn(2, 4, 4, 4)
TIMES = torch.tensor([10.0, 700.0])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_noise_is_that_of_diffusers_and_can_be_taken_away(prediction):
    scheduler = DDIMScheduler(prediction_type=prediction, beta_schedule="scaled_linear")
    objective = Noise(scheduler.config)
    noisy = objective.noisy(CLEAN, NOISE, TIMES)
    torch.testing.assert_close(noisy, scheduler.add_noise(CLEAN, NOISE, TIMES.long()))
    target = objective.target(CLEAN, NOISE, TIMES)
    expected = NOISE if prediction == "epsilon" else scheduler.get_velocity(CLEAN, NOISE, TIMES.long())
    torch.testing.assert_close(target, expected)
    torch.testing.assert_close(objective.clean(noisy, target, TIMES), CLEAN, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("prediction", "extra"), [("epsilon", 0), ("v_prediction", 1)])
def test_errors_count_by_min_snr(prediction, extra):
    scheduler = DDIMScheduler(prediction_type=prediction)
    weights = Noise(scheduler.config).weight(TIMES)
    for time, weight in zip((10, 700), weights.tolist(), strict=True):
        kept = float(scheduler.alphas_cumprod[time])
        ratio = kept / (1 - kept)
        assert weight == pytest.approx(min(ratio, 5) / (ratio + extra), rel=1e-4)


def test_flow_goes_straight_and_back():
    objective = Flow({}, linear_sigmas=True)
    noisy = objective.noisy(CLEAN, NOISE, TIMES)
    torch.testing.assert_close(noisy[1], 0.3 * CLEAN[1] + 0.7 * NOISE[1])
    target = objective.target(CLEAN, NOISE, TIMES)
    torch.testing.assert_close(objective.clean(noisy, target, TIMES), CLEAN, rtol=1e-4, atol=1e-4)
    assert objective.weight(TIMES).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("config", "shift"),
    [({}, 1.0), ({"shift": 3.0}, 3.0), ({"use_dynamic_shifting": True}, math.exp(0.5))],
)
def test_times_of_training_are_shifted_as_those_of_the_sampler(config, shift):
    config = FlowMatchEulerDiscreteScheduler(**config).config
    objective = Flow(config, linear_sigmas=True)
    drawn = objective.draw(4, 256, torch.Generator().manual_seed(0))
    plain = torch.randn(4, generator=torch.Generator().manual_seed(0)).sigmoid()
    torch.testing.assert_close(drawn, 1000 * shift * plain / (1 + (shift - 1) * plain))
    times = objective.sampler(4, 256).timesteps
    even = torch.tensor([1.0, 0.75, 0.5, 0.25])
    torch.testing.assert_close(times, 1000 * shift * even / (1 + (shift - 1) * even))


def test_families_have_theirs():
    scheduler = SimpleNamespace(config=DDIMScheduler().config)
    for name, kind in (("noise", Noise), ("flow", Flow)):
        family = SimpleNamespace(objective=name, name="sd15")
        base = SimpleNamespace(family=family, pipeline=SimpleNamespace(scheduler=scheduler))
        assert isinstance(objective_of(base), kind)
