"""Generator and discriminator of StyleGAN2 (1912.04958): skip generator, residual discriminator.

Parameter and buffer names and shapes are those of the reference implementation, so that its weights load
strictly. Parameters are float32; convolutions run in `compute_dtype`, everything small in float32.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.stylegan import ops
from engines.stylegan.config import Architecture
from engines.stylegan.randomness import Draws

IMAGE_CHANNELS = 3
MAPPING_LR_MULTIPLIER = 0.01
W_AVG_BETA = 0.998  # how slowly the mean of w moves
STDDEV_GROUP = 4

NoiseMode = Literal["random", "const", "none"]


@dataclass(frozen=True)
class Noise:
    """Where the noise of a forward pass comes from: fresh, the constant one of each layer, or nowhere."""

    mode: NoiseMode
    draws: Draws | None = None  # for "random"

    def like(self, y: Tensor, constant: Tensor) -> Tensor:
        """float32 `[N, 1, H, W]` for a feature map `[N, C, H, W]`."""
        shape = (y.shape[0], 1, *y.shape[2:])
        if self.mode == "random":
            assert self.draws is not None
            return self.draws.normal(*shape)
        if self.mode == "const":
            return constant.expand(shape)
        return torch.zeros(shape, device=y.device)


class FullyConnected(nn.Module):
    """Linear layer with equalised learning rate (1710.10196, section 4.1), perhaps with a leaky ReLU.

    The stored weights have unit variance (divided by `lr_multiplier`) and are scaled at run time. `gain`
    multiplies the result.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        activate: bool = False,
        lr_multiplier: float = 1.0,
        bias: float = 0.0,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias)))
        self.activate = activate
        self.lr_multiplier = lr_multiplier
        # Positive gains commute with the leaky ReLU.
        self._bias_gain = lr_multiplier * gain * (ops.GAIN if activate else 1.0)
        self._weight_gain = self._bias_gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """float32 `[N, inputs]` to `[N, outputs]`."""
        y = torch.addmm(self.bias, x, self.weight.t(), beta=self._bias_gain, alpha=self._weight_gain)
        return functional.leaky_relu(y, ops.SLOPE) if self.activate else y


class Mapping(nn.Module):
    """From z to w: `fc0`, `fc1`, ... and the running mean `w_avg` for truncation (1812.04948)."""

    w_avg: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.layers = architecture.mapping_layers
        sizes = [architecture.z_dim] + [architecture.w_dim] * self.layers
        for index in range(self.layers):
            layer = FullyConnected(
                sizes[index], sizes[index + 1], activate=True, lr_multiplier=MAPPING_LR_MULTIPLIER
            )
            self.add_module(f"fc{index}", layer)
        self.register_buffer("w_avg", torch.zeros(architecture.w_dim))

    def forward(self, z: Tensor) -> Tensor:
        """float32 `[N, z_dim]` to `[N, w_dim]`."""
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + ops.EPSILON)
        for index in range(self.layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x

    def track(self, w: Tensor) -> None:
        """Move the running mean towards the mean of this batch."""
        self.w_avg.lerp_(w.detach().mean(dim=0), 1.0 - W_AVG_BETA)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU (1912.04958, figure 2d)."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, *, w_dim: int, resolution: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("resample_filter", ops.filter_2d())

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """`[N, inputs, r, r]` and float32 `[N, w_dim]` to `[N, outputs, R, R]`, R = 2r where `up`."""
        styles = self.affine(w)
        scale = ops.demodulation(self.weight, styles)
        y = ops.modulated_conv(x, self.weight, styles, up=self.up)
        return ops.scale_noise_bias_activate(
            y, scale, noise.like(y, self.noise_const), self.noise_strength, self.bias
        )


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation (1912.04958, section 2.2 and figure 7b)."""

    def __init__(self, inputs: int, *, w_dim: int) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0, gain=1.0 / math.sqrt(inputs))
        self.weight = nn.Parameter(torch.randn(IMAGE_CHANNELS, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(IMAGE_CHANNELS))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`[N, inputs, r, r]` and float32 `[N, w_dim]` to float32 `[N, 3, r, r]`."""
        colours = ops.modulated_1x1(x, self.weight, self.affine(w))
        return colours + self.bias[:, None, None]


class SynthesisBlock(nn.Module):
    """All layers of one resolution; the first block starts from a learnt constant."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, *, w_dim: int, resolution: int) -> None:
        super().__init__()
        self.is_first = inputs == 0
        self.register_buffer("resample_filter", ops.filter_2d())
        if self.is_first:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim=w_dim, resolution=resolution, up=True)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim=w_dim, resolution=resolution, up=False)
        self.torgb = ToRGB(outputs, w_dim=w_dim)

    @property
    def convolutions(self) -> int:
        """How many w this block consumes before its ToRGB, which shares the next block's first."""
        return 1 if self.is_first else 2

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        ws: Sequence[Tensor],
        *,
        dtype: torch.dtype,
        noise: Noise,
    ) -> tuple[Tensor, Tensor]:
        """Feature map, image so far, `convolutions + 1` float32 `[N, w_dim]` to the next map and image."""
        styles = iter(ws)
        if x is None:
            constants = self.const.to(dtype).expand(len(ws[0]), -1, -1, -1)
            x = constants.contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(x, next(styles), noise)
        x = self.conv1(x, next(styles), noise)
        colours = self.torgb(x, next(styles))
        return x, colours if image is None else colours + ops.upsample(image)


class Synthesis(nn.Module):
    """From one w for each layer to an image: blocks `b4`, `b8`, ..., their colours upsampled and added."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.compute_dtype = torch.float32
        self.resolutions = architecture.block_resolutions
        inputs = 0
        for resolution in self.resolutions:
            outputs = architecture.channels(resolution)
            block = SynthesisBlock(inputs, outputs, w_dim=architecture.w_dim, resolution=resolution)
            self.add_module(f"b{resolution}", block)
            inputs = outputs

    def forward(self, ws: Tensor, noise_mode: NoiseMode = "const", draws: Draws | None = None) -> Tensor:
        """float32 `[N, num_ws, w_dim]` to float32 `[N, 3, R, R]`, about -1 to 1.

        `draws` serves noise_mode "random".
        """
        noise = Noise(noise_mode, draws)
        x: Tensor | None = None
        image: Tensor | None = None
        styles = ws.unbind(dim=1)  # at once: each slice of ws would cost a tensor of its size on the way back
        start = 0
        for resolution in self.resolutions:
            block = cast("SynthesisBlock", self.get_submodule(f"b{resolution}"))
            stop = start + block.convolutions
            x, image = block(x, image, styles[start : stop + 1], dtype=self.compute_dtype, noise=noise)
            start = stop
        assert image is not None
        return image


class Generator(nn.Module):
    """`mapping` and `synthesis`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.mapping = Mapping(architecture)
        self.synthesis = Synthesis(architecture)

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """The dtype of feature maps and convolutions; parameters stay float32."""
        self.synthesis.compute_dtype = dtype

    def ws(self, z: Tensor, *, truncation_psi: float | Tensor = 1.0) -> Tensor:
        """float32 `[N, z_dim]` to `[N, num_ws, w_dim]`, nearer to the mean w where `truncation_psi` < 1.

        One `truncation_psi` for all, or one for each as `[N, 1]`.
        """
        w = self.mapping(z)
        if isinstance(truncation_psi, Tensor) or truncation_psi != 1.0:
            w = self.mapping.w_avg.lerp(w, truncation_psi)
        return self.broadcast(w)

    def broadcast(self, w: Tensor) -> Tensor:
        """The same w for every layer: `[N, w_dim]` to `[N, num_ws, w_dim]`."""
        return w[:, None, :].expand(-1, self.architecture.num_ws, -1)

    def forward(
        self,
        z: Tensor,
        *,
        truncation_psi: float | Tensor = 1.0,
        noise_mode: NoiseMode = "const",
        draws: Draws | None = None,
    ) -> Tensor:
        """float32 `[N, z_dim]` to float32 `[N, 3, R, R]`, about -1 to 1; `noise_mode` as in Synthesis."""
        images: Tensor = self.synthesis(self.ws(z, truncation_psi=truncation_psi), noise_mode, draws)
        return images


class Conv(nn.Module):
    """Convolution of the discriminator with equalised learning rate; `act_gain` multiplies its activation."""

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        down: bool = False,
        linear: bool = False,
        act_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = None if linear else nn.Parameter(torch.zeros(outputs))
        self.register_buffer("resample_filter", ops.filter_2d())
        self.down = down
        # All gains are positive, so they commute with the leaky ReLU and go into the small tensors.
        self.gain = act_gain if linear else act_gain * ops.GAIN
        self.weight_gain = self.gain / math.sqrt(inputs * size**2)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, inputs, H, W]` to `[N, outputs, H, W]`, or half the sides where `down`."""
        weight = self.weight * self.weight_gain
        if self.bias is None:
            return ops.down_conv_1x1(x, weight)
        bias = self.bias * self.gain
        if self.down:
            y = ops.down_conv(x, weight, bias)
        else:
            y = functional.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), padding=weight.shape[2] // 2)
        return functional.leaky_relu_(y, ops.SLOPE)


class DiscriminatorBlock(nn.Module):
    """Two convolutions and a skip, to half the size (1912.04958, figure 7c); the first reads the image."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, *, is_first: bool) -> None:
        super().__init__()
        self.register_buffer("resample_filter", ops.filter_2d())
        if is_first:
            self.fromrgb = Conv(IMAGE_CHANNELS, inputs, 1)
        self.is_first = is_first
        self.conv0 = Conv(inputs, inputs, 3)
        self.conv1 = Conv(inputs, outputs, 3, down=True, act_gain=math.sqrt(0.5))
        self.skip = Conv(inputs, outputs, 1, down=True, linear=True, act_gain=math.sqrt(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """`[N, inputs, r, r]` (3 channels where first) to `[N, outputs, r/2, r/2]`."""
        if self.is_first:
            x = self.fromrgb(x)
        y: Tensor = self.conv1(self.conv0(x))
        skipped: Tensor = self.skip(x)
        return y + skipped


class DiscriminatorEpilogue(nn.Module):
    """Standard deviation over the batch, then down to one number, in float32."""

    def __init__(self, channels: int, *, resolution: int) -> None:
        super().__init__()
        self.conv = Conv(channels + 1, channels, 3)
        self.fc = FullyConnected(channels * resolution**2, channels, activate=True)
        self.out = FullyConnected(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, channels, 4, 4]` to float32 `[N]`."""
        x = self.conv(ops.minibatch_stddev(x.float(), group_size=STDDEV_GROUP))
        x = self.fc(x.reshape(x.shape[0], -1))
        logits: Tensor = self.out(x)
        return logits.squeeze(1)


class Discriminator(nn.Module):
    """Blocks from the full resolution down to 8, then the epilogue `b4`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.compute_dtype = torch.float32
        *self.resolutions, last = architecture.block_resolutions[::-1]
        for resolution in self.resolutions:
            block = DiscriminatorBlock(
                architecture.channels(resolution),
                architecture.channels(resolution // 2),
                is_first=resolution == architecture.resolution,
            )
            self.add_module(f"b{resolution}", block)
        self.b4 = DiscriminatorEpilogue(architecture.channels(last), resolution=last)

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """The dtype of feature maps and convolutions; parameters stay float32."""
        self.compute_dtype = dtype

    def forward(self, images: Tensor) -> Tensor:
        """float32 `[N, 3, R, R]` to logits, float32 `[N]`: greater means more real."""
        logits: Tensor = self.b4(self.feature_maps(images)[-1])
        return logits

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """float32 `[N, 3, R, R]` to what each block makes of it, at half the size each, down to 4 x 4."""
        x = images.to(self.compute_dtype, memory_format=torch.channels_last)
        found = []
        for resolution in self.resolutions:
            x = self.get_submodule(f"b{resolution}")(x)
            found.append(x)
        return found

    def layers(self) -> list[nn.Module]:
        """Layers in order from the image, as Freeze-D counts them: fromrgb, conv0, conv1, skip, conv0..."""
        found: list[nn.Module] = []
        for resolution in self.resolutions:
            found += list(self.get_submodule(f"b{resolution}").children())
        return [*found, *self.b4.children()]
