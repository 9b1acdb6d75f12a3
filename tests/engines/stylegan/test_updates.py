"""The four updates of a step: gradients against plain formulas, batches in parts, ADA, EMA."""

import pytest
import torch

from engines.dataset import PreparedDataset
from engines.errors import ConfigError, DivergedError
from engines.stylegan.batches import RealImages
from engines.stylegan.distributed import Ranks
from engines.stylegan.randomness import Draws, Purpose, torch_rng
from engines.stylegan.state import TrainState
from engines.stylegan.updates import Updates

from . import plain

PHASES = {
    "generator": Updates.update_generator,
    "path length": Updates.regularise_generator,
    "discriminator": Updates.update_discriminator,
    "r1": Updates.regularise_discriminator,
}


class GradientsOnly(torch.optim.Optimizer):
    """Takes no step and keeps the gradients it was given."""

    def __init__(self, network):
        super().__init__(network.parameters(), {"lr": 0.0})
        self.network = network
        self.found = {}

    def step(self):
        named = self.network.named_parameters()
        self.found = {name: each.grad.clone() for name, each in named if each.grad is not None}


def updates_of(config, state=None):
    state = state or TrainState.create(config, torch.float32)
    dataset = PreparedDataset.open(config.dataset)
    reals = RealImages(
        dataset, batch=config.batch, seed=config.seed, mirror=config.mirror, device=torch.device("cpu")
    )
    return Updates(config, reals, state, Ranks())


def lively_state(config, *, ada_p=0.0):
    """Networks whose biases and noise strengths are not zero, and optimizers that keep gradients."""
    state = TrainState.create(config, torch.float32)
    rng = torch.Generator().manual_seed(1)
    for network in (state.g, state.d):
        for name, parameter in network.named_parameters():
            if name.endswith("bias") or (config.noise and name.endswith("noise_strength")):
                torch.nn.init.normal_(parameter, mean=float("affine" in name), std=0.3, generator=rng)
    state.opt_g, state.opt_d = GradientsOnly(state.g), GradientsOnly(state.d)
    state.ada_p = ada_p
    state.path_length_mean = 0.1
    return state


def gradients(config, phase, **settings):
    state = lively_state(config, **settings)
    PHASES[phase](updates_of(config, state))
    return (state.opt_g if phase in ("generator", "path length") else state.opt_d).found


def assert_close(actual, expected, tolerance=1e-4):
    assert actual.keys() == expected.keys()
    for name, wanted in expected.items():
        gap = (actual[name] - wanted).norm() / wanted.norm().clamp(min=1e-12)
        assert gap <= tolerance, f"{name}: {gap:.2e}"


def plain_gradients(config, phase):
    """The same with plain networks, written down once more from the papers."""
    state = lively_state(config)
    architecture = state.architecture
    g, d = (dict(net.named_parameters()) | dict(net.named_buffers()) for net in (state.g, state.d))
    step_rng = {purpose: Draws(torch_rng(config.seed, purpose, 0)) for purpose in Purpose}
    reals = updates_of(config)._reals.part(0, 0, slice(None))

    def fakes(purpose):
        return plain.generator(g, step_rng[purpose].normal(config.batch, architecture.z_dim), architecture)

    def judge(images):
        return plain.discriminator(d, images, architecture)

    if phase == "generator":
        value = torch.log1p(torch.exp(-judge(fakes(Purpose.GENERATOR)))).mean()
    elif phase == "path length":
        draws = step_rng[Purpose.PATH_LENGTH]
        w = plain.mapping(g, draws.normal(config.batch // 2, architecture.z_dim), architecture.mapping_layers)
        ws = w[:, None].expand(-1, architecture.num_ws, -1)
        images = plain.synthesis(g, ws, architecture)
        y = draws.normal(*images.shape) / images[0, 0].numel() ** 0.5
        (jacobian,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)
        lengths = jacobian.square().sum(2).mean(1).sqrt()
        value = (lengths - 0.1).square().mean() * (config.path_length_weight * config.path_length_interval)
    elif phase == "discriminator":
        value = torch.log1p(torch.exp(judge(fakes(Purpose.DISCRIMINATOR).detach()))).mean()
        value = value + torch.log1p(torch.exp(-judge(reals))).mean()
    else:
        reals.requires_grad_()
        (slope,) = torch.autograd.grad(judge(reals).sum(), reals, create_graph=True)
        value = slope.square().sum((1, 2, 3)).mean() * (config.gamma / 2 * config.r1_interval)
    trained = dict((state.g if phase in ("generator", "path length") else state.d).named_parameters())
    found = torch.autograd.grad(value, list(trained.values()), allow_unused=True)
    return {name: each for name, each in zip(trained, found, strict=True) if each is not None}


@pytest.mark.parametrize("phase", PHASES)
def test_gradients_of_every_phase_equal_the_plain_ones(config, phase):
    settings = config(batch=8, noise=False, style_mixing=0.0)
    ours, expected = gradients(settings, phase), plain_gradients(settings, phase)
    # Their strengths are zero, so the two agree on everything but what noise would do.
    assert_close(*({n: each for n, each in found.items() if "noise" not in n} for found in (ours, expected)))


@pytest.mark.parametrize("phase", PHASES)
def test_a_batch_in_parts_has_the_gradients_of_the_whole(config, phase):
    """With everything switched on; parts of four keep the groups of the minibatch standard deviation."""
    whole = gradients(config(batch=16), phase, ada_p=0.7)
    parts = gradients(config(batch=16, micro_batch=4), phase, ada_p=0.7)
    assert_close(parts, whole)


def test_smaller_parts_change_the_groups_of_the_standard_deviation_and_nothing_else(config):
    whole, parts = (config(batch=8, micro_batch=size) for size in (None, 2))
    assert_close(gradients(parts, "path length"), gradients(whole, "path length"))
    found = [gradients(settings, "discriminator")["b4.conv.weight"] for settings in (whole, parts)]
    assert not torch.allclose(found[0][:, -1], found[1][:, -1], rtol=1e-2)


def test_parts_train_the_same_networks(config):
    states = []
    for micro_batch in (None, 4):
        settings = config(batch=8, micro_batch=micro_batch)
        state = TrainState.create(settings, torch.float32)
        updates = updates_of(settings, state)
        losses = [updates.step() for _ in range(4)]
        states.append((state, losses))
    (first, first_losses), (second, second_losses) = states
    for ours, theirs in zip(first_losses, second_losses, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    assert first.ada_p == second.ada_p > 0
    assert first.path_length_mean == pytest.approx(second.path_length_mean, rel=1e-5)
    for name, tensor in first.g_ema.state_dict().items():
        torch.testing.assert_close(second.g_ema.state_dict()[name], tensor, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(("batch", "micro_batch", "processes"), [(8, 3, 1), (10, None, 4), (4, 4, 8)])
def test_a_batch_that_cannot_be_shared_evenly_is_refused(config, batch, micro_batch, processes):
    with pytest.raises(ConfigError, match="multiple of both"):
        config(batch=batch, micro_batch=micro_batch).parts(processes)


def test_a_batch_is_shared_among_processes_and_rounds(config):
    assert config(batch=64, micro_batch=8).parts() == 8
    assert config(batch=64, micro_batch=8).parts(4) == 8
    assert config(batch=16, micro_batch=8).parts(4) == 4


def test_mixed_styles_change_over_at_a_layer(config):
    settings = config(batch=64, style_mixing=0.5)
    updates = updates_of(settings)
    draws = [Draws(torch_rng(0, Purpose.GENERATOR)) for _ in range(2)]
    plain_ws = updates._state.g.ws(draws[0].normal(64, settings.architecture.z_dim))
    is_first = (updates._ws(draws[1], 64) == plain_ws).all(dim=2)
    assert is_first[:, 0].all()
    assert (is_first[:, 1:] <= is_first[:, :-1]).all()
    mixed = ~is_first.all(dim=1)
    assert 16 < mixed.sum() < 48
    assert len(set(is_first[mixed].sum(dim=1).tolist())) > 2


def test_the_mean_of_w_follows_the_generator(config):
    settings = config()
    updates = updates_of(settings)
    g = updates._state.g
    z = Draws(torch_rng(settings.seed, Purpose.GENERATOR)).normal(settings.batch, g.architecture.z_dim)
    updates.update_generator()
    assert g.mapping.w_avg.norm() > 0
    before_update = TrainState.create(settings, torch.float32).g.mapping
    torch.testing.assert_close(g.mapping.w_avg, 0.002 * before_update(z).mean(0), rtol=1e-4, atol=1e-7)


def test_the_first_update_goes_against_the_gradient_everywhere(config):
    """Adam's first step is -learning_rate * sign(gradient), element by element, in any memory layout."""
    settings = config(noise=False, path_length_weight=0.0)
    found = gradients_of_fresh(settings)
    state = TrainState.create(settings, torch.float32)
    before = {name: parameter.detach().clone() for name, parameter in state.g.named_parameters()}
    updates_of(settings, state).update_generator()
    for name, parameter in state.g.named_parameters():
        if name in found and name.endswith("weight"):
            clear = found[name].abs() > 1e-5
            moved = (parameter.detach() - before[name])[clear]
            expected = -settings.learning_rate * found[name][clear].sign()
            torch.testing.assert_close(moved, expected, rtol=0.05, atol=1e-5, msg=name)


def gradients_of_fresh(settings):
    state = TrainState.create(settings, torch.float32)
    state.opt_g = GradientsOnly(state.g)
    updates_of(settings, state).update_generator()
    return state.opt_g.found


def test_both_networks_take_smaller_steps_at_the_end(config):
    settings = config(steps=4, cooldown=1.0)
    state = TrainState.create(settings, torch.float32)
    optimizers = (state.opt_g, state.opt_d)
    first = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    updates = updates_of(settings, state)
    for share in (1.0, 0.75, 0.5, 0.25):
        updates.step()
        rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        assert rates == pytest.approx([share * rate for rate in first])


def test_lazy_regularisation_is_done_when_due(config):
    updates = updates_of(config(r1_interval=2, path_length_interval=3))
    told = [updates.step().keys() for _ in range(4)]
    assert [("r1" in losses, "path_length" in losses) for losses in told] == [
        (True, True),
        (False, False),
        (True, False),
        (False, True),
    ]


def test_ada_finds_the_strength_at_which_a_discriminator_is_as_sure_as_wanted(config):
    """A synthetic discriminator: it calls every real image real until p exceeds 0.3, then half of them."""
    updates = updates_of(config(ada_target=0.6, ada_kimg=1.0, batch=8))
    for _ in range(400):
        updates._state.step += 1
        updates._adjust_augmentation(1.0 if updates._state.ada_p <= 0.3 else 0.0)
    assert updates._state.ada_p == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("network", ["g", "d"])
def test_a_loss_that_is_no_number_ends_the_training_with_advice(config, network):
    updates = updates_of(config())
    parameter = next(iter(getattr(updates._state, network).parameters()))
    with torch.no_grad():
        parameter.fill_(float("nan"))
    with pytest.raises(DivergedError, match="half the learning rate or twice the gamma"):
        updates.step()
    assert updates._state.step == 0


def test_average_has_the_stated_half_life(config):
    state = TrainState.create(config(), torch.float32)
    state.nimg = 10**6
    weight, average = state.g.mapping.fc0.weight, state.g_ema.mapping.fc0.weight
    start = average.clone()
    with torch.no_grad():
        weight.add_(1.0)
    for _ in range(10):
        state.update_average(batch=100, ema_kimg=1.0, rampup=None)
    torch.testing.assert_close(average, start + 0.5)
    state.g.mapping.w_avg.fill_(3.0)
    state.nimg = 0
    state.update_average(batch=100, ema_kimg=1.0, rampup=0.05)
    torch.testing.assert_close(average, weight)
    assert state.g_ema.mapping.w_avg.eq(3.0).all()
