"""StyleGAN3's generator against published facts, reference numbers and the equivariance it is made for."""

import hashlib
import math

import numpy as np
import pytest
import torch

from engines.errors import ConfigError
from engines.stylegan import stylegan3
from engines.stylegan.stylegan3 import Architecture, Generator, layer_plans, signals

from .nvidia_files import REFERENCE, fill, reference_latents, sampled

FACTS = REFERENCE["stylegan3"]
SIZES = ("resolution", "conv_kernel", "radial_filters", "channel_base", "channel_max")
SMALL = {"resolution": 32, "z_dim": 16, "w_dim": 24, "num_layers": 6}
TINY = {
    "t": Architecture(**SMALL, channel_base=512, channel_max=24),
    "r": Architecture(**SMALL, channel_base=1024, channel_max=32, conv_kernel=1, radial_filters=1),
}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def published(name):
    return Architecture(**{size: FACTS["configurations"][name][size] for size in SIZES})


@pytest.mark.parametrize("name", FACTS["configurations"])
def test_layers_are_those_of_the_published_configurations(name):
    architecture = published(name)
    rows = [
        [plan.name, plan.target.sampling_rate, round(plan.target.cutoff, 4), round(plan.target.half_width, 4)]
        for plan in layer_plans(architecture)
    ]
    assert rows == FACTS["configurations"][name]["layers"]
    assert architecture.num_ws == 16


@pytest.mark.parametrize("name", FACTS["configurations"])
def test_names_and_shapes_are_those_of_the_published_configurations(name):
    with torch.device("meta"):
        network = Generator(published(name))
    state = network.state_dict()
    lines = [f"{tensor} {'x'.join(map(str, state[tensor].shape))}" for tensor in sorted(state)]
    assert {
        "tensors": len(state),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    } == FACTS["configurations"][name]["G"]


@pytest.mark.parametrize("kind", ["t", "r"])
def test_images_are_the_references(kind):
    network = fill(Generator(TINY[kind]))
    with torch.inference_mode():
        images = network(reference_latents())
        truncated = network(reference_latents(), truncation_psi=0.7)
    expected = FACTS["tiny"][kind]
    torch.testing.assert_close(sampled(images), torch.tensor(expected["images"]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sampled(truncated), torch.tensor(expected["truncated"]), rtol=1e-4, atol=1e-4)


def kaiser(taps, beta):
    """Kaiser's window by the power series of the Bessel function."""

    def i0(x):
        return sum((x / 2) ** (2 * k) / math.factorial(k) ** 2 for k in range(40))

    return np.array([i0(beta * math.sqrt(1 - (2 * n / (taps - 1) - 1) ** 2)) / i0(beta) for n in range(taps)])


@pytest.mark.parametrize("index", range(14))
def test_filters_are_windowed_ideal_low_passes(index):
    plan = layer_plans(published("t256"))[index]
    taps, cutoff, rate = 6 * plan.up, plan.source.cutoff, plan.inner_rate
    attenuation = 2.285 * (taps - 1) * math.pi * (2 * plan.source.half_width) / (rate / 2) + 7.95
    beta = 0.1102 * (attenuation - 8.7) if attenuation > 50 else None
    beta = beta or 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    times = [(n - (taps - 1) / 2) / rate for n in range(taps)]
    ideal = np.array([math.sin(2 * math.pi * cutoff * time) / (math.pi * time) for time in times])
    expected = ideal * kaiser(taps, beta)
    np.testing.assert_allclose(plan.up_filter(), expected / expected.sum(), atol=1e-6)


def test_filters_are_the_references():
    for kind, architecture in TINY.items():
        plan = layer_plans(architecture)[0]
        down = plan.down_filter()
        np.testing.assert_allclose(plan.up_filter(), FACTS["tiny"][kind]["up_filter"], atol=1e-7)
        np.testing.assert_allclose(
            down[5] if kind == "r" else down, FACTS["tiny"][kind]["down_filter"], atol=1e-7
        )


def test_radial_filters_look_the_same_from_every_side():
    plan = layer_plans(published("r256"))[4]
    kernel = plan.down_filter()
    assert kernel.shape == (12, 12)
    assert kernel.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-8)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-8)
    assert layer_plans(published("r256"))[12].down_filter().ndim == 1  # critically sampled layers


def test_no_filter_lets_more_through_than_its_stop_band_allows():
    for plan in layer_plans(published("t1024"))[:-3]:
        kernel = plan.down_filter()
        stop = plan.target.cutoff + plan.target.half_width
        frequencies = np.linspace(1.25 * stop, plan.inner_rate / 2, 50)
        positions = np.arange(len(kernel)) / plan.inner_rate
        response = np.abs(np.exp(-2j * np.pi * np.outer(frequencies, positions)) @ kernel)
        assert response.max() < 0.05


def test_resampling_equals_zero_stuffing_and_convolution():
    kernel = torch.rand(12)
    kernel = kernel + kernel.flip(0)
    x = torch.randn(1, 2, 9, 9)
    stuffed = torch.zeros(1, 2, 18, 18)
    stuffed[:, :, ::2, ::2] = x
    padded = torch.nn.functional.pad(stuffed, (7, 8, 7, 8))
    square = (torch.outer(kernel, kernel) * 4).expand(2, 1, -1, -1)
    expected = torch.nn.functional.conv2d(padded, square, groups=2)
    torch.testing.assert_close(stylegan3.upsample(x, kernel, 2, (7, 8)), expected)
    expected = torch.nn.functional.conv2d(padded, square / 4, groups=2)[:, :, ::2, ::2]
    torch.testing.assert_close(stylegan3.downsample(padded, kernel, 2), expected)
    torch.testing.assert_close(stylegan3.downsample(padded, torch.outer(kernel, kernel), 2), expected)


def test_the_input_moves_by_whole_samples_exactly():
    layer = stylegan3.Input(TINY["t"])
    w = torch.randn(2, 24)
    with torch.no_grad():
        still = layer(w)
        # Where the grid is read, in units of the image's side: 3 samples further right and 2 further down.
        layer.transform[0, 2] = 3 / layer.signal.sampling_rate
        layer.transform[1, 2] = 2 / layer.signal.sampling_rate
        moved = layer(w)
    torch.testing.assert_close(moved[:, :, :-2, :-3], still[:, :, 2:, 3:], rtol=1e-4, atol=1e-4)


def test_the_input_turns_by_a_right_angle_exactly():
    layer = stylegan3.Input(TINY["r"])
    with torch.no_grad():
        still = layer(torch.zeros(1, 24))
        layer.affine.bias.copy_(torch.tensor([0.0, 2.0, 0.0, 0.0]))  # cosine 0, sine positive, any length
        turned = layer(torch.zeros(1, 24))
    torch.testing.assert_close(turned, still.rot90(1, (2, 3)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pixels", [1, 4])  # half a sample of the coarsest signal, and two
@pytest.mark.parametrize("kind", ["t", "r"])
def test_the_image_moves_with_the_input(kind, pixels):
    """2106.12423, appendix E.2: translation by pixels, compared where both images show the same (EQ-T)."""
    network = fill(Generator(TINY[kind]))
    torch.nn.init.zeros_(network.synthesis.input.affine.weight)
    with torch.inference_mode():
        still = network(reference_latents())
        network.synthesis.input.transform[0, 2] = pixels / 32
        moved = network(reference_latents())
    unmoved = (still[..., :-pixels] - still[..., pixels:])[..., 4:-4, 4:-4].square().mean()
    error = (moved[..., :-pixels] - still[..., pixels:])[..., 4:-4, 4:-4].square().mean()
    assert 10 * math.log10(4.0 / error) > 100
    assert error < 1e-6 * unmoved


def test_few_channels_at_a_time_change_nothing(monkeypatch):
    network = fill(Generator(TINY["t"]))
    with torch.inference_mode():
        together = network(reference_latents())
        monkeypatch.setattr(stylegan3, "INNER_NUMBERS", 1 << 15)
        torch.testing.assert_close(network(reference_latents()), together, rtol=1e-5, atol=1e-5)


def test_bfloat16_stays_close_to_float32():
    network = fill(Generator(TINY["t"]))
    with torch.inference_mode():
        full = network(reference_latents())
        network.set_compute_dtype(torch.bfloat16)
        half = network(reference_latents())
    assert half.dtype == torch.float32
    assert (half - full).abs().mean() < 0.03 * full.abs().mean()


def test_the_last_signals_end_at_the_images_edge():
    assert [signal.size for signal in signals(published("t1024"))][-3:] == [1044, 1024, 1024]


@pytest.mark.parametrize(
    "sizes",
    [{"resolution": 48}, {"resolution": 8}, {"num_critical": 14}, {"conv_kernel": 5}, {"channel_base": 0}],
)
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ConfigError):
        Architecture(**{"resolution": 256, **sizes})
