"""Generator of StyleGAN3 (2106.12423) for making images; it is not trained here.

Every feature map is a sampled continuous signal: it has a sampling rate (samples over the side of the image),
a cutoff below which its content lies and a margin around the image. Parameter and buffer names and shapes are
those of the reference implementation, so that its weights load strictly.
"""

import math
from collections.abc import Mapping as MappingABC
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.errors import ConfigError
from engines.stylegan import ops
from engines.stylegan.config import Architecture as StyleGAN2Architecture
from engines.stylegan.networks import IMAGE_CHANNELS, FullyConnected, Mapping

FilterArray = npt.NDArray[np.float32]

FIRST_CUTOFF = 2.0
FIRST_STOPBAND = 2.0**2.1
LAST_STOPBAND_RELATIVE = 2.0**0.3
MARGIN = 10  # samples around the image that feature maps carry along
TAPS_PER_FACTOR = 6
UPSAMPLING_FOR_LRELU = 2  # the nonlinearity runs at twice the sampling rate (section 3.1)
CLAMP = 256.0  # activations beyond are cut, as the reference does
OUTPUT_SCALE = 0.25
INNER_NUMBERS = 1 << 24  # values of the signal inside a layer that are held at a time (64 MiB)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes of a StyleGAN3 generator. Configuration T: 3x3 kernels; R: 1x1 kernels and radial filters."""

    resolution: int
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    num_layers: int = 14
    num_critical: int = 2  # last layers, whose cutoff is the highest their sampling rate allows
    channel_base: int = 32_768
    channel_max: int = 512
    conv_kernel: int = 3
    radial_filters: int = 0  # 1: downsampling filters are circular, so that rotation is respected too

    def __post_init__(self) -> None:
        if self.resolution < 16 or self.resolution & (self.resolution - 1):
            raise ConfigError(
                f"Resolution {self.resolution} is not a power of two from 16 up. Choose for example 256."
            )
        if not 0 <= self.num_critical < self.num_layers:
            raise ConfigError("num_critical must be less than num_layers.")
        if min(self.z_dim, self.w_dim, self.mapping_layers, self.channel_base, self.channel_max) < 1:
            raise ConfigError("The sizes of a network must be at least 1.")
        if self.conv_kernel not in {1, 3}:
            raise ConfigError("conv_kernel must be 1 or 3.")

    @property
    def num_ws(self) -> int:
        """How many w the synthesis network takes: one for the input, one for each layer and the colours."""
        return self.num_layers + 2

    def as_dict(self) -> dict[str, int]:
        """For model.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: MappingABC[str, Any]) -> "Architecture":
        """From model.json; unknown keys are ignored. Raises KeyError or TypeError where a size is missing."""
        return cls(**{field.name: int(values[field.name]) for field in fields(cls)})


@dataclass(frozen=True)
class Signal:
    """What a feature map is: its sampling rate, cutoff and half-width of the transition band, and sizes."""

    sampling_rate: int
    cutoff: float
    half_width: float
    size: int  # samples along a side, margins included
    channels: int


def signals(architecture: Architecture) -> tuple[Signal, ...]:
    """The output of each layer, colours last (2106.12423, section 3.2 and figure 4c)."""
    last_cutoff = architecture.resolution / 2
    steps = np.arange(architecture.num_layers + 1) / (architecture.num_layers - architecture.num_critical)
    exponents = np.minimum(steps, 1.0)
    cutoffs = FIRST_CUTOFF * (last_cutoff / FIRST_CUTOFF) ** exponents
    stopbands = FIRST_STOPBAND * (last_cutoff * LAST_STOPBAND_RELATIVE / FIRST_STOPBAND) ** exponents
    rates = np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, architecture.resolution))))
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = rates + 2 * MARGIN
    sizes[-2:] = architecture.resolution
    channels = np.rint(np.minimum(architecture.channel_base / 2 / cutoffs, architecture.channel_max))
    channels[-1] = IMAGE_CHANNELS
    rows = zip(rates, cutoffs, half_widths, sizes, channels, strict=True)
    return tuple(
        Signal(int(rate), float(cutoff), float(width), int(size), int(count))
        for rate, cutoff, width, size, count in rows
    )


@dataclass(frozen=True)
class LayerPlan:
    """How one layer goes from its input signal to its output signal."""

    index: int
    source: Signal
    target: Signal
    kernel: int
    is_torgb: bool
    radial: bool

    @property
    def name(self) -> str:
        """As in checkpoints: L{index}_{size}_{channels}."""
        return f"L{self.index}_{self.target.size}_{self.target.channels}"

    @property
    def inner_rate(self) -> int:
        """Sampling rate at which the nonlinearity runs."""
        rate = max(self.source.sampling_rate, self.target.sampling_rate)
        return rate if self.is_torgb else rate * UPSAMPLING_FOR_LRELU

    @property
    def up(self) -> int:
        """Factor from the input's sampling rate to the inner one."""
        return self.inner_rate // self.source.sampling_rate

    @property
    def down(self) -> int:
        """Factor from the inner sampling rate to the output's."""
        return self.inner_rate // self.target.sampling_rate

    @property
    def padding(self) -> tuple[int, int]:
        """Inner samples to add before and after, so that filtering ends at the target's size."""
        inner = (self.target.size - 1) * self.down + TAPS_PER_FACTOR * self.down
        given = (self.source.size + self.kernel - 1) * self.up - TAPS_PER_FACTOR * self.up + 1
        total = inner - given
        before = (total + self.up) // 2
        return before, total - before

    def up_filter(self) -> FilterArray:
        """Keeps what lies below the input's cutoff."""
        return lowpass_filter(
            taps=TAPS_PER_FACTOR * self.up,
            cutoff=self.source.cutoff,
            width=2 * self.source.half_width,
            sampling_rate=self.inner_rate,
        )

    def down_filter(self) -> FilterArray:
        """Keeps what lies below the output's cutoff."""
        design = radial_lowpass_filter if self.radial else lowpass_filter
        return design(
            taps=TAPS_PER_FACTOR * self.down,
            cutoff=self.target.cutoff,
            width=2 * self.target.half_width,
            sampling_rate=self.inner_rate,
        )


def layer_plans(architecture: Architecture) -> tuple[LayerPlan, ...]:
    """All layers from the input to the colours."""
    targets = signals(architecture)
    last = architecture.num_layers
    return tuple(
        LayerPlan(
            index=index,
            source=targets[max(index - 1, 0)],
            target=target,
            kernel=1 if index == last else architecture.conv_kernel,
            is_torgb=index == last,
            radial=bool(architecture.radial_filters) and index < last - architecture.num_critical,
        )
        for index, target in enumerate(targets)
    )


def kaiser_beta(*, taps: int, width: float, sampling_rate: float) -> float:
    """Shape of the Kaiser window for a transition band of `width` (Kaiser 1974; 2106.12423, appendix C.1)."""
    attenuation = 2.285 * (taps - 1) * math.pi * (width / (sampling_rate / 2)) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * math.pow(attenuation - 21, 0.4) + 0.07886 * (attenuation - 21)
    return 0.0


def lowpass_filter(*, taps: int, cutoff: float, width: float, sampling_rate: float) -> FilterArray:
    """Windowed ideal low-pass, float32 `[taps]`, summing to 1. Cutoff and width in units of the rate."""
    positions = np.arange(taps) - (taps - 1) / 2
    window = np.kaiser(taps, kaiser_beta(taps=taps, width=width, sampling_rate=sampling_rate))
    return _normalised(np.sinc(2 * cutoff / sampling_rate * positions) * window)


def radial_lowpass_filter(*, taps: int, cutoff: float, width: float, sampling_rate: float) -> FilterArray:
    """The same with a circular pass band: jinc instead of sinc, float32 `[taps, taps]` (appendix C.1)."""
    positions = (np.arange(taps) - (taps - 1) / 2) / sampling_rate  # taps are even: never 0
    radius = np.hypot(*np.meshgrid(positions, positions))
    bessel = torch.special.bessel_j1(torch.from_numpy(2 * math.pi * cutoff * radius)).numpy()
    window = np.kaiser(taps, kaiser_beta(taps=taps, width=width, sampling_rate=sampling_rate))
    return _normalised(bessel / radius * np.outer(window, window))


def _normalised(kernel: npt.NDArray[np.float64]) -> FilterArray:
    normalised: FilterArray = (kernel / kernel.sum()).astype(np.float32)
    return normalised


def upsample(x: Tensor, kernel: Tensor, factor: int, padding: tuple[int, int]) -> Tensor:
    """Zeros between the samples and at the ends, then the symmetric filter `[taps]` along both axes.

    `[N, C, H, W]` to `[N, C, H', W']`, H' = H * factor + sum(padding) - taps + 1; the mean is kept.
    """
    channels, taps = x.shape[1], kernel.shape[0]
    start = taps - 1 - padding[0]
    for axis in (2, 3):
        length = x.shape[axis] * factor + sum(padding) - taps + 1
        shape = [1, 1]
        shape[axis - 2] = taps
        stride = [1, 1]
        stride[axis - 2] = factor
        weight = (kernel * factor).reshape(1, 1, *shape).expand(channels, -1, -1, -1)
        x = functional.conv_transpose2d(x, weight, stride=stride, groups=channels)
        x = x.narrow(axis, start, length)
    return x


def downsample(x: Tensor, kernel: Tensor, factor: int) -> Tensor:
    """The filter, `[taps]` along both axes or `[taps, taps]`, then every `factor`-th sample."""
    channels = x.shape[1]
    if kernel.ndim == 2:
        weight = kernel.expand(channels, 1, -1, -1)
        return functional.conv2d(x, weight, stride=factor, groups=channels)
    weight = kernel.expand(channels, 1, 1, -1)
    x = functional.conv2d(x, weight, stride=(1, factor), groups=channels)
    return functional.conv2d(x, weight.transpose(2, 3), stride=(factor, 1), groups=channels)


class Input(nn.Module):
    """Fourier features of a spatially infinite grid, moved and turned as w says (section 3.1, appendix F).

    `transform` (`[3, 3]`) moves and turns the whole image: it maps points of the image to points of the
    grid, in units of the image's side.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.signal = signals(architecture)[0]
        channels = self.signal.channels
        points = torch.randn(channels, 2)
        radii = points.square().sum(dim=1, keepdim=True).sqrt()
        # From a Gaussian cloud to the uniform disc below the cutoff, as the published weights have it.
        points = points / (radii * radii.square().exp().pow(0.25)) * self.signal.cutoff
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = FullyConnected(architecture.w_dim, 4)
        nn.init.zeros_(self.affine.weight)
        self.affine.bias = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", points)
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(self, w: Tensor) -> Tensor:
        """float32 `[N, w_dim]` to `[N, channels, size, size]`."""
        transforms = self._transforms(self.affine(w))
        freqs = self.freqs @ transforms[:, :2, :2]  # [N, channels, 2]
        phases = self.phases + (self.freqs @ transforms[:, :2, 2:]).squeeze(2)
        # Turning keeps the length; a transform that magnifies could lift frequencies over the limit.
        limit = self.signal.sampling_rate / 2
        fade = 1.0 - (freqs.norm(dim=2) - self.signal.cutoff) / (limit - self.signal.cutoff)
        size = self.signal.size
        axis = (torch.arange(size, device=w.device) - (size - 1) / 2) / self.signal.sampling_rate
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        angles = torch.stack([x, y], dim=-1).reshape(-1, 2) @ freqs.transpose(1, 2)  # [N, size * size, C]
        features = torch.sin(2 * math.pi * (angles + phases[:, None])) * fade.clamp(0.0, 1.0)[:, None]
        mixed = torch.matmul(features, (self.weight / math.sqrt(self.weight.shape[1])).t())
        return mixed.transpose(1, 2).reshape(w.shape[0], -1, size, size)

    def _transforms(self, t: Tensor) -> Tensor:
        """`[N, 4]` (cosine, sine, x, y) to `[N, 3, 3]`: the inverse of turning, then moving, the image."""
        cosine, sine, x, y = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(dim=1)
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        turn = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], dim=1)
        move = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1)
        return torch.matmul(turn.reshape(-1, 3, 3) @ move.reshape(-1, 3, 3), self.transform)


class Layer(nn.Module):
    """Modulated convolution, then bias and leaky ReLU between two low-pass filters (figure 4b)."""

    magnitude_ema: Tensor
    up_filter: Tensor
    down_filter: Tensor

    def __init__(self, plan: LayerPlan, *, w_dim: int) -> None:
        super().__init__()
        self.plan = plan
        inputs, outputs = plan.source.channels, plan.target.channels
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, plan.kernel, plan.kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("magnitude_ema", torch.ones([]))
        if not plan.is_torgb:
            self.register_buffer("up_filter", torch.from_numpy(plan.up_filter()))
            self.register_buffer("down_filter", torch.from_numpy(plan.down_filter()))

    def forward(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Float32 `[N, inputs, r, r]` and `[N, w_dim]` to float32 `[N, outputs, R, R]`."""
        styles = self.affine(w)
        gain = self.magnitude_ema.rsqrt()  # brings the input back to unit magnitude
        if self.plan.is_torgb:
            scale = gain / math.sqrt(self.weight[0].numel())
            y = self._convolve(x, styles, dtype) * scale + self.bias[:, None, None]
            return y.clamp(-CLAMP, CLAMP)
        scale = ops.demodulation(self.weight, styles)[:, :, None, None] * gain
        y = self._convolve(x, styles, dtype) * scale + self.bias[:, None, None]
        # Nothing mixes channels from here on. Few at a time: the inner signal is four times as large or more.
        inner = y.shape[0] * (y.shape[2] * self.plan.up) ** 2
        parts = torch.split(y, max(1, INNER_NUMBERS // inner), dim=1)
        return torch.cat([self._activate(part) for part in parts], dim=1)

    def _activate(self, y: Tensor) -> Tensor:
        y = upsample(y, self.up_filter, self.plan.up, self.plan.padding)
        y = functional.leaky_relu(y, ops.SLOPE).mul_(ops.GAIN).clamp_(-CLAMP, CLAMP)
        return downsample(y, self.down_filter, self.plan.down)

    def _convolve(self, x: Tensor, styles: Tensor, dtype: torch.dtype) -> Tensor:
        x = (x * styles[:, :, None, None]).to(dtype)
        return functional.conv2d(x, self.weight.to(dtype), padding=self.plan.kernel - 1).float()


class Synthesis(nn.Module):
    """From one w for the input and one for each layer to an image."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.compute_dtype = torch.float32
        self.input = Input(architecture)
        self.layer_names = tuple(plan.name for plan in layer_plans(architecture))
        for plan in layer_plans(architecture):
            self.add_module(plan.name, Layer(plan, w_dim=architecture.w_dim))

    def forward(self, ws: Tensor) -> Tensor:
        """float32 `[N, num_ws, w_dim]` to float32 `[N, 3, R, R]`, about -1 to 1."""
        x: Tensor = self.input(ws[:, 0])
        for name, w in zip(self.layer_names, ws[:, 1:].unbind(dim=1), strict=True):
            x = cast("Layer", self.get_submodule(name))(x, w, self.compute_dtype)
        return x * OUTPUT_SCALE


class Generator(nn.Module):
    """`mapping`, which is StyleGAN2's, and `synthesis`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        # Of StyleGAN2's sizes the mapping uses these three alone.
        self.mapping = Mapping(
            StyleGAN2Architecture(
                z_dim=architecture.z_dim,
                w_dim=architecture.w_dim,
                mapping_layers=architecture.mapping_layers,
            )
        )
        self.synthesis = Synthesis(architecture)

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """The dtype of convolutions; filters and parameters stay float32."""
        self.synthesis.compute_dtype = dtype

    def forward(self, z: Tensor, *, truncation_psi: float | Tensor = 1.0) -> Tensor:
        """float32 `[N, z_dim]` to float32 `[N, 3, R, R]`, about -1 to 1; `truncation_psi` as in StyleGAN2."""
        w = self.mapping(z)
        if isinstance(truncation_psi, Tensor) or truncation_psi != 1.0:
            w = self.mapping.w_avg.lerp(w, truncation_psi)
        images: Tensor = self.synthesis(w[:, None].expand(-1, self.architecture.num_ws, -1))
        return images
