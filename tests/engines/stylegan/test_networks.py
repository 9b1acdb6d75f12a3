"""The networks against a plain writing of the papers; names and shapes as in the reference's checkpoints."""

import json
from pathlib import Path

import pytest
import torch

from engines.errors import ConfigError
from engines.stylegan import loss, ops
from engines.stylegan.config import Architecture
from engines.stylegan.networks import Discriminator, Generator
from engines.stylegan.randomness import Draws

from . import plain

REFERENCE = json.loads((Path(__file__).parent / "reference_shapes.json").read_text())
SMALL = Architecture(resolution=16, z_dim=6, w_dim=5, mapping_layers=2, channel_base=128, channel_max=12)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def generator():
    network = Generator(SMALL)
    for name, parameter in network.named_parameters():
        if name.endswith(("noise_strength", "bias")):  # zero at the start, where a mistake would not show
            torch.nn.init.normal_(parameter)
    return network


@pytest.fixture
def discriminator():
    network = Discriminator(SMALL)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return network


def parameters_of(network):
    return dict(network.named_parameters()) | dict(network.named_buffers())


def test_generator_equals_the_plain_one(generator):
    z = torch.randn(3, SMALL.z_dim)
    expected = plain.generator(parameters_of(generator), z, SMALL)
    torch.testing.assert_close(generator(z, noise_mode="const"), expected, rtol=1e-4, atol=1e-4)


def test_discriminator_equals_the_plain_one(discriminator):
    images = torch.randn(8, 3, 16, 16)
    expected = plain.discriminator(parameters_of(discriminator), images, SMALL)
    torch.testing.assert_close(discriminator(images), expected, rtol=1e-4, atol=1e-4)


def test_gradients_of_the_generator_update_equal_the_plain_ones(generator, discriminator):
    z = torch.randn(4, SMALL.z_dim)
    d_state = parameters_of(discriminator)
    trained = list(generator.parameters())
    ours = torch.autograd.grad(loss.generator_loss(discriminator(generator(z))), trained)
    images = plain.generator(parameters_of(generator), z, SMALL)
    expected = torch.autograd.grad(loss.generator_loss(plain.discriminator(d_state, images, SMALL)), trained)
    for actual, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-5)


def test_gradients_of_r1_equal_the_plain_ones(discriminator):
    images = torch.randn(4, 3, 16, 16)
    state = parameters_of(discriminator)
    trained = list(discriminator.parameters())
    ours = torch.autograd.grad(loss.r1_penalty(discriminator, images), trained, allow_unused=True)
    expected = torch.autograd.grad(
        loss.r1_penalty(lambda x: plain.discriminator(state, x, SMALL), images), trained, allow_unused=True
    )
    for actual, wanted in zip(ours, expected, strict=True):
        assert (actual is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-5)


def test_gradients_of_path_length_equal_the_plain_ones(generator):
    ws = generator.ws(torch.randn(2, SMALL.z_dim))
    trained = list(generator.synthesis.parameters())

    def ours(given):
        return generator.synthesis(given, "const")

    def plainly(given):
        return plain.synthesis(parameters_of(generator), given, SMALL)

    results = []
    for synthesize in (plainly, ours):
        lengths = loss.path_lengths(synthesize, ws, Draws(torch.Generator().manual_seed(1)))
        penalty = loss.path_length_penalty(lengths, 0.1)
        results.append(torch.autograd.grad(penalty, trained, allow_unused=True, retain_graph=True))
    for wanted, actual in zip(*results, strict=True):
        if wanted is not None:
            torch.testing.assert_close(actual, wanted, rtol=1e-3, atol=1e-5)


def test_bfloat16_stays_close_to_float32(generator, discriminator):
    z = torch.randn(4, SMALL.z_dim)
    full = generator(z)
    generator.set_compute_dtype(torch.bfloat16)
    half = generator(z)
    assert half.dtype == torch.float32
    assert (half - full).abs().mean() < 0.02 * full.abs().mean()
    logits = discriminator(full)
    discriminator.set_compute_dtype(torch.bfloat16)
    torch.testing.assert_close(discriminator(full), logits, rtol=0.05, atol=0.05)


def test_training_works_after_images_were_made_in_inference_mode(generator, discriminator):
    ops._depthwise_filter.cache_clear()
    ops._upsampling_matrix.cache_clear()
    z = torch.randn(2, SMALL.z_dim)
    with torch.inference_mode():
        discriminator(generator(z))
    loss.generator_loss(discriminator(generator(z))).backward()


def test_truncation_pulls_towards_the_mean(generator):
    z = torch.randn(2, SMALL.z_dim)
    generator.mapping.w_avg.copy_(torch.randn(SMALL.w_dim))
    mean = generator.synthesis(generator.broadcast(generator.mapping.w_avg.expand(2, -1)), "const")
    torch.testing.assert_close(generator(z, truncation_psi=0.0), mean)
    torch.testing.assert_close(generator.ws(z, truncation_psi=1.0), generator.broadcast(generator.mapping(z)))


def test_random_noise_comes_from_the_given_generator(generator):
    z = torch.randn(2, SMALL.z_dim)
    images = [
        generator(z, noise_mode="random", draws=Draws(torch.Generator().manual_seed(seed)))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


@pytest.mark.parametrize("published", REFERENCE, ids=lambda each: str(each["architecture"]["resolution"]))
def test_names_and_shapes_are_the_references(published):
    """What StyleGAN2-ADA's files hold, name by name, so that they load strictly and one to one."""
    architecture = Architecture(**published["architecture"])
    with torch.device("meta"):
        networks = {"generator": Generator(architecture), "discriminator": Discriminator(architecture)}
    for role, network in networks.items():
        assert {name: list(each.shape) for name, each in network.state_dict().items()} == published[role]


@pytest.mark.parametrize("resolution", [7, 48, 4])
def test_impossible_resolutions_are_refused(resolution):
    with pytest.raises(ConfigError, match="power of two"):
        Architecture(resolution=resolution)
