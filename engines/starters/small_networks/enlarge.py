"""A network that doubles a picture's sides, closer to the truth than bicubic, on photographs and drawings.

It adds to the bicubic enlargement what a few residual convolutions make of the small picture, brought to size
by sub-pixel convolution (Shi et al., arXiv 1609.05158; blocks without normalisation as in Lim et al., arXiv
1707.02921). Whole subjects of the photographs, and every eighth thing that is drawn, are kept away from
training and measured.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from engines.grounds import paint
from engines.starters.small_networks.training import train
from engines.starters.text_to_image.sources import Drawing, read_drawings, read_photographs

Array = npt.NDArray[np.uint8]

WIDTH = 32
BLOCKS = 5
PATCH = 32  # side of what the network sees in training, in pixels
BATCH = 16
STEPS = 5000
RATE = 1.5e-3
PHOTOGRAPH_SIDE = 384
DRAWING_SIDE = 128
_HELD_OUT_EVERY = 8  # of the things that are drawn, in the order of their names


class Enlarger(nn.Module):
    """Doubles the sides: `[N, 3, H, W]` from 0 to 1 to `[N, 3, 2 H, 2 W]`."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
            )
            for _number in range(BLOCKS)
        )
        self.last = nn.Conv2d(WIDTH, 12, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        inside = self.first(x)
        for block in self.blocks:
            inside = inside + block(inside)
        plain = functional.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)
        return plain + functional.pixel_shuffle(self.last(inside), 2)


def read(images: Path, *, held_out: bool, seed: int = 0) -> tuple[list[Array], list[Array]]:
    """Photographs and composed drawings `[H, W, 3]` with even sides: those that are held out, or the others.

    Raises MissingSource.
    """
    photographs = [
        _even(photograph) for photograph in read_photographs(images, held_out=held_out, size=PHOTOGRAPH_SIDE)
    ]
    drawings = read_drawings(images)
    kept = set(sorted({drawing.noun for drawing in drawings})[::_HELD_OUT_EVERY])
    rng = np.random.default_rng(seed)
    composed = [_composed(drawing, rng) for drawing in drawings if (drawing.noun in kept) is held_out]
    return photographs, composed


def _even(array: Array) -> Array:
    return array[: array.shape[0] // 2 * 2, : array.shape[1] // 2 * 2]


def _composed(drawing: Drawing, rng: np.random.Generator) -> Array:
    ground = Image.fromarray(paint(rng, DRAWING_SIDE).pixels).convert("RGBA")
    image = drawing.image
    if image.mode == "L":
        ink = Image.new("RGBA", image.size, (20, 20, 22, 255) if rng.random() < 0.5 else (250, 250, 250, 255))
        ink.putalpha(image)
        image = ink
    ground.alpha_composite(image.resize((DRAWING_SIDE, DRAWING_SIDE)))
    return np.asarray(ground.convert("RGB"))


def halved(array: Array) -> Array:
    """The picture at half its size, by Pillow's bicubic filter with its antialiasing."""
    height, width = array.shape[:2]
    return np.asarray(Image.fromarray(array).resize((width // 2, height // 2), Image.Resampling.BICUBIC))


def doubled(array: Array) -> Array:
    """What the network is compared with: Pillow's bicubic enlargement."""
    height, width = array.shape[:2]
    return np.asarray(Image.fromarray(array).resize((width * 2, height * 2), Image.Resampling.BICUBIC))


class Patches:
    """Pairs of a small patch and what it is to become, half from photographs and half from drawings."""

    def __init__(self, photographs: Sequence[Array], drawings: Sequence[Array], *, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._kinds = [[(halved(one), one) for one in kind] for kind in (photographs, drawings) if kind]

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Return float32 `[N, 3, 32, 32]` and `[N, 3, 64, 64]`, from 0 to 1, mirrored and turned by lot."""
        pairs = [self._pair(self._kinds[number % len(self._kinds)]) for number in range(size)]
        small, large = (np.stack(some).astype(np.float32) / 255 for some in zip(*pairs, strict=True))
        return torch.from_numpy(small).permute(0, 3, 1, 2), torch.from_numpy(large).permute(0, 3, 1, 2)

    def _pair(self, pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
        small, large = pairs[int(self._rng.integers(len(pairs)))]
        top = int(self._rng.integers(small.shape[0] - PATCH + 1))
        left = int(self._rng.integers(small.shape[1] - PATCH + 1))
        turns, is_mirrored = int(self._rng.integers(4)), self._rng.random() < 0.5
        cut = (
            small[top : top + PATCH, left : left + PATCH],
            large[2 * top : 2 * (top + PATCH), 2 * left : 2 * (left + PATCH)],
        )
        first, second = (np.rot90(one[:, ::-1] if is_mirrored else one, turns) for one in cut)
        return first, second


def train_enlarger(
    photographs: Sequence[Array], drawings: Sequence[Array], out: Path, *, steps: int = STEPS, seed: int = 0
) -> Enlarger:
    """Train by the mean absolute error; returns the averaged network."""
    torch.manual_seed(seed)
    patches = Patches(photographs, drawings, seed=seed)
    network = Enlarger()

    def loss(_step: int) -> Tensor:
        small, large = patches.batch(BATCH)
        made: Tensor = network(small.contiguous(memory_format=torch.channels_last))
        return (made.float() - large).abs().mean()

    averaged = train(network, loss, out=out, steps=steps, rate=RATE, decay=0.0)
    assert isinstance(averaged, Enlarger)
    return averaged


@torch.inference_mode()
def measure_enlarger(network: nn.Module, pictures: Sequence[Array]) -> dict[str, float]:
    """Mean PSNR in dB over pictures that were halved and doubled again: the network's, and bicubic's."""
    ours, bicubic = [], []
    for picture in pictures:
        small = halved(picture)
        tensor = torch.from_numpy(small.astype(np.float32) / 255).permute(2, 0, 1)[None]
        made = (network(tensor)[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        ours.append(psnr(made, picture))
        bicubic.append(psnr(doubled(small), picture))
    return {
        "pictures": float(len(pictures)),
        "psnr": float(np.mean(ours)),
        "bicubic": float(np.mean(bicubic)),
    }


def psnr(made: npt.NDArray[np.generic], true: Array) -> float:
    """Peak signal-to-noise ratio in dB of pixels from 0 to 255, over all pixels and colours."""
    error = float(np.mean((made.astype(np.float64) - true.astype(np.float64)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-12)))
