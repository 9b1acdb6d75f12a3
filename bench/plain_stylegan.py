"""StyleGAN2 as its papers write it down, in PyTorch's usual layout (NCHW) and float32: the baseline.

It is what one gets from implementing 1912.04958 with care and without tuning: resampling by depthwise
convolution, modulation of feature maps while training and of grouped kernels for making images, autograd for
everything. It reads the parameters of `engines.stylegan.networks` by name, so both sides have the same
weights.
"""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.stylegan.config import Architecture
from engines.stylegan.networks import Discriminator, Generator

Weights = Mapping[str, Tensor]
BETAS = (0.0, 0.99)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def blur(x: Tensor, kernel: Tensor, pad: int, *, gain: float = 1.0) -> Tensor:
    """Filter each channel of `[N, C, H, W]` with `[4, 4]`."""
    channels = x.shape[1]
    weight = (kernel * gain).expand(channels, 1, 4, 4)
    return functional.conv2d(x, weight, padding=pad, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Zeros between the pixels, then the filter (figure 7, appendix B)."""
    n, c, h, w = x.shape
    stuffed = functional.pad(x.reshape(n, c, h, 1, w, 1), [0, 1, 0, 0, 0, 1]).reshape(n, c, 2 * h, 2 * w)
    weight = (kernel * 4.0).expand(c, 1, 4, 4)
    return functional.conv2d(functional.pad(stuffed, [2, 1, 2, 1]), weight, groups=c)


def activate(x: Tensor, bias: Tensor) -> Tensor:
    """Bias, leaky ReLU and the gain that keeps the variance."""
    shape = [1, -1] + [1] * (x.ndim - 2)
    return functional.leaky_relu(x + bias.reshape(shape), 0.2) * math.sqrt(2.0)


def linear(weights: Weights, name: str, x: Tensor, *, multiplier: float = 1.0) -> Tensor:
    """Fully connected with equalised learning rate."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.linear(x, weight * (multiplier / math.sqrt(weight.shape[1])), bias * multiplier)


def mapping(weights: Weights, z: Tensor, layers: int) -> Tensor:
    """`[N, z_dim]` to `[N, w_dim]`."""
    x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    for index in range(layers):
        name = f"mapping.fc{index}"
        x = functional.leaky_relu(linear(weights, name, x, multiplier=0.01), 0.2) * math.sqrt(2.0)
    return x


def modulated(
    x: Tensor, weight: Tensor, styles: Tensor, *, kernel: Tensor | None, fused: bool, demodulate: bool = True
) -> Tensor:
    """Equations 1 and 3; twice the size where a resampling `kernel` is given."""
    n, outputs = len(x), weight.shape[0]
    kernels = weight[None] * styles[:, None, :, None, None]  # [N, O, I, k, k]
    scale = (kernels.square().sum((2, 3, 4)) + 1e-8).rsqrt() if demodulate else None
    if not fused:
        y = _convolve(x * styles[:, :, None, None], weight, kernel)
        return y if scale is None else y * scale[:, :, None, None]
    if scale is not None:
        kernels = kernels * scale[:, :, None, None, None]
    y = _convolve(x.reshape(1, -1, *x.shape[2:]), kernels.flatten(0, 1), kernel, groups=n)
    return y.reshape(n, outputs, *y.shape[2:])


def _convolve(x: Tensor, weight: Tensor, kernel: Tensor | None, groups: int = 1) -> Tensor:
    if kernel is None:
        return functional.conv2d(x, weight, padding=weight.shape[2] // 2, groups=groups)
    inputs = weight.shape[1]
    if groups == 1:
        transposed = weight.transpose(0, 1)
    else:
        transposed = weight.reshape(groups, -1, inputs, 3, 3).transpose(1, 2).flatten(0, 1)
    y = functional.conv_transpose2d(x, transposed, stride=2, groups=groups)
    return blur(y, kernel, 1, gain=4.0)


def synthesis(
    weights: Weights, ws: Tensor, architecture: Architecture, *, fused: bool, random_noise: bool
) -> Tensor:
    """`[N, num_ws, w_dim]` to images `[N, 3, R, R]`."""

    def layer(name: str, x: Tensor, w: Tensor, kernel: Tensor | None) -> Tensor:
        styles = linear(weights, f"{name}.affine", w)
        y = modulated(x, weights[f"{name}.weight"], styles, kernel=kernel, fused=fused)
        noise = weights[f"{name}.noise_const"]
        if random_noise:
            noise = torch.randn(len(y), 1, *y.shape[2:])
        return activate(y + noise * weights[f"{name}.noise_strength"], weights[f"{name}.bias"])

    x = weights["synthesis.b4.const"].expand(len(ws), -1, -1, -1)
    image: Tensor | None = None
    index = 0
    for resolution in architecture.block_resolutions:
        block = f"synthesis.b{resolution}"
        kernel = weights[f"{block}.resample_filter"]
        if image is not None:
            x = layer(f"{block}.conv0", x, ws[:, index], kernel)
            index += 1
        x = layer(f"{block}.conv1", x, ws[:, index], None)
        index += 1
        weight = weights[f"{block}.torgb.weight"]
        styles = linear(weights, f"{block}.torgb.affine", ws[:, index]) / math.sqrt(weight.shape[1])
        colours = modulated(x, weight, styles, kernel=None, fused=fused, demodulate=False)
        colours = colours + weights[f"{block}.torgb.bias"].reshape(1, -1, 1, 1)
        image = colours if image is None else upsample(image, kernel) + colours
    assert image is not None
    return image


def discriminator(weights: Weights, images: Tensor, architecture: Architecture) -> Tensor:
    """`[N, 3, R, R]` to logits `[N]`."""

    def weight_of(name: str) -> Tensor:
        weight = weights[f"{name}.weight"]
        return weight / math.sqrt(weight[0].numel())

    def conv(name: str, x: Tensor) -> Tensor:
        weight = weight_of(name)
        return activate(functional.conv2d(x, weight, padding=weight.shape[2] // 2), weights[f"{name}.bias"])

    *resolutions, _last = architecture.block_resolutions[::-1]
    x = conv(f"b{resolutions[0]}.fromrgb", images)
    for resolution in resolutions:
        block = f"b{resolution}"
        kernel = weights[f"{block}.resample_filter"]
        skip = functional.conv2d(blur(x, kernel, 1)[:, :, ::2, ::2], weight_of(f"{block}.skip"))
        y = conv(f"{block}.conv0", x)
        y = functional.conv2d(blur(y, kernel, 2), weight_of(f"{block}.conv1"), stride=2)
        x = (activate(y, weights[f"{block}.conv1.bias"]) + skip) * math.sqrt(0.5)
    x = conv("b4.conv", torch.cat([x, _standard_deviation(x)], dim=1))
    x = functional.leaky_relu(linear(weights, "b4.fc", x.flatten(1)), 0.2) * math.sqrt(2.0)
    return linear(weights, "b4.out", x).squeeze(1)


def _standard_deviation(x: Tensor, group: int = 4) -> Tensor:
    n, c, h, w = x.shape
    grouped = x.reshape(group, n // group, c, h, w)
    deviation = ((grouped - grouped.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat(group).reshape(n, 1, 1, 1).expand(n, 1, h, w)


class PlainTraining:
    """The four updates and the average, on copies of given networks."""

    def __init__(
        self,
        g: Generator,
        d: Discriminator,
        *,
        learning_rate: float,
        gamma: float,
        path_length_weight: float,
        style_mixing: float,
        noise: bool,
    ) -> None:
        self.architecture = g.architecture
        self.average = weights_of(copy.deepcopy(g).requires_grad_(requires_grad=False))
        self.g, self.d = weights_of(copy.deepcopy(g)), weights_of(copy.deepcopy(d))
        self._gamma = gamma
        self._path_length_weight = path_length_weight
        self._style_mixing = style_mixing
        self._noise = noise
        self._path_length_mean = torch.zeros([])
        self._g_parameters = [each for each in self.g.values() if each.requires_grad]
        self._d_parameters = [each for each in self.d.values() if each.requires_grad]
        self._opt_g = _adam(self._g_parameters, learning_rate, 4 if path_length_weight else None)
        self._opt_d = _adam(self._d_parameters, learning_rate, 16)

    def update_generator(self, count: int) -> None:
        """Non-saturating logistic loss."""
        logits = discriminator(self.d, self._fakes(count, track=True), self.architecture)
        self._descend(self._opt_g, self._g_parameters, functional.softplus(-logits).mean())

    def regularise_generator(self, count: int) -> None:
        """Path length, every fourth step, on half a batch."""
        ws = self._ws(count)
        images = self._images(ws)
        noise = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
        (jacobian,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
        lengths = jacobian.square().sum(2).mean(1).sqrt()
        penalty = (lengths - self._path_length_mean).square().mean()
        self._path_length_mean = self._path_length_mean.lerp(lengths.detach().mean(), 0.01)
        self._descend(self._opt_g, self._g_parameters, penalty * self._path_length_weight * 4)

    def update_discriminator(self, reals: Tensor) -> None:
        """Logistic loss on generated and real images."""
        with torch.no_grad():
            fakes = self._fakes(len(reals))
        # One after the other, so that only one graph is held at a time.
        fake_loss = functional.softplus(discriminator(self.d, fakes, self.architecture)).mean()
        _follow_back(fake_loss, self._d_parameters)
        real_loss = functional.softplus(-discriminator(self.d, reals, self.architecture)).mean()
        self._descend(self._opt_d, self._d_parameters, real_loss)

    def regularise_discriminator(self, reals: Tensor) -> None:
        """R1, every sixteenth step."""
        reals = reals.detach().requires_grad_()
        logits = discriminator(self.d, reals, self.architecture)
        (gradient,) = torch.autograd.grad(logits.sum(), reals, create_graph=True)
        penalty = gradient.square().sum((1, 2, 3)).mean()
        self._descend(self._opt_d, self._d_parameters, penalty * (self._gamma / 2 * 16))

    @torch.no_grad()
    def update_average(self, beta: float) -> None:
        """The exponential moving average of the generator."""
        for name, average in self.average.items():
            average.lerp_(self.g[name], 1.0 - beta if self.g[name].requires_grad else 1.0)

    @torch.no_grad()
    def make_images(self, z: Tensor) -> Tensor:
        """Images of the averaged generator with constant noise."""
        w = mapping(self.average, z, self.architecture.mapping_layers)
        ws = w[:, None].expand(-1, self.architecture.num_ws, -1)
        return synthesis(self.average, ws, self.architecture, fused=True, random_noise=False)

    def _fakes(self, count: int, *, track: bool = False) -> Tensor:
        return self._images(self._ws(count, track=track))

    def _images(self, ws: Tensor) -> Tensor:
        return synthesis(self.g, ws, self.architecture, fused=False, random_noise=self._noise)

    def _ws(self, count: int, *, track: bool = False) -> Tensor:
        architecture = self.architecture
        w = self._map(count)
        if track:
            self.g["mapping.w_avg"].lerp_(w.detach().mean(0), 0.002)
        ws = w[:, None].expand(-1, architecture.num_ws, -1)
        if not self._style_mixing:
            return ws
        crossover = torch.randint(1, architecture.num_ws, (count, 1))
        mixed = torch.rand(count, 1) < self._style_mixing
        takes_other = mixed & (torch.arange(architecture.num_ws) >= crossover)
        return torch.where(takes_other[:, :, None], self._map(count)[:, None], ws)

    def _map(self, count: int) -> Tensor:
        return mapping(self.g, torch.randn(count, self.architecture.z_dim), self.architecture.mapping_layers)

    def _descend(self, optimizer: torch.optim.Adam, parameters: list[Tensor], value: Tensor) -> None:
        _follow_back(value, parameters)
        optimizer.step()
        optimizer.zero_grad()


def _follow_back(value: Tensor, parameters: list[Tensor]) -> None:
    value.backward(inputs=parameters)  # type: ignore[no-untyped-call]  # torch leaves it untyped


def _adam(parameters: list[Tensor], learning_rate: float, interval: int | None) -> torch.optim.Adam:
    c = interval / (interval + 1) if interval else 1.0
    return torch.optim.Adam(parameters, lr=learning_rate * c, betas=(BETAS[0] ** c, BETAS[1] ** c), eps=1e-8)
