"""The networks against a plain writing of the papers; names and shapes as in the reference's checkpoints."""

import pytest
import torch

from engines.errors import ConfigError
from engines.stylegan import loss, ops
from engines.stylegan.config import Architecture
from engines.stylegan.networks import Discriminator, Generator

from . import plain

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
        state = parameters_of(generator)
        x, image = None, None
        index = 0
        for resolution in SMALL.block_resolutions:
            block = f"synthesis.b{resolution}"
            if x is None:
                x = state[f"{block}.const"].expand(len(given), -1, -1, -1)
            else:
                x = plain.synthesis_layer(state, f"{block}.conv0", x, given[:, index], up=True)
                index += 1
            x = plain.synthesis_layer(state, f"{block}.conv1", x, given[:, index], up=False)
            index += 1
            colours = plain.to_rgb(state, f"{block}.torgb", x, given[:, index])
            image = colours if image is None else plain.upsample(image) + colours
        return image

    results = []
    for synthesize in (plainly, ours):
        lengths = loss.path_lengths(synthesize, ws, torch.Generator().manual_seed(1))
        penalty, _ = loss.path_length_penalty(lengths, torch.zeros([]))
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
    ops._merging_matrix.cache_clear()
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
        generator(z, noise_mode="random", rng=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


@pytest.mark.parametrize(
    ("base", "cap", "dims", "depth", "expected"),
    [
        (16384, 512, 512, 8, {64: (256, 512), 4: (512, 512)}),
        (1024, 64, 128, 2, {64: (16, 32), 4: (64, 64)}),
    ],
)
def test_names_and_shapes_are_the_references(base, cap, dims, depth, expected):
    architecture = Architecture(
        resolution=64, z_dim=dims, w_dim=dims, mapping_layers=depth, channel_base=base, channel_max=cap
    )
    g, d = Generator(architecture).state_dict(), Discriminator(architecture).state_dict()
    width, before = expected[64]
    last = expected[4][0]
    shapes = {
        "mapping.fc0.weight": (dims, dims),
        f"mapping.fc{depth - 1}.bias": (dims,),
        "mapping.w_avg": (dims,),
        "synthesis.b4.const": (last, 4, 4),
        "synthesis.b4.conv1.noise_const": (4, 4),
        "synthesis.b64.conv0.weight": (width, before, 3, 3),
        "synthesis.b64.conv0.affine.weight": (before, dims),
        "synthesis.b64.conv0.noise_strength": (),
        "synthesis.b64.conv0.resample_filter": (4, 4),
        "synthesis.b64.conv1.bias": (width,),
        "synthesis.b64.torgb.weight": (3, width, 1, 1),
        "synthesis.b64.resample_filter": (4, 4),
    }
    assert {name: tuple(g[name].shape) for name in shapes} == shapes
    assert "synthesis.b4.conv0.weight" not in g
    assert "synthesis.b64.torgb.resample_filter" not in g
    shapes = {
        "b64.fromrgb.weight": (width, 3, 1, 1),
        "b64.conv0.weight": (width, width, 3, 3),
        "b64.conv1.weight": (before, width, 3, 3),
        "b64.skip.weight": (before, width, 1, 1),
        "b64.skip.resample_filter": (4, 4),
        "b4.conv.weight": (last, last + 1, 3, 3),
        "b4.fc.weight": (last, last * 16),
        "b4.out.weight": (1, last),
    }
    assert {name: tuple(d[name].shape) for name in shapes} == shapes
    assert "b64.skip.bias" not in d
    assert "b32.fromrgb.weight" not in d


@pytest.mark.parametrize("resolution", [7, 48, 4])
def test_impossible_resolutions_are_refused(resolution):
    with pytest.raises(ConfigError, match="power of two"):
        Architecture(resolution=resolution)
