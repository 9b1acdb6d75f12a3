"""A network that says what a drawing shows: emoji, icons and line drawings of about a hundred things.

Its pictures are composed anew for every step: a drawing of one of four picture sets, moved, turned, scaled
and tinted, on a drawn ground, with noise. Of every thing that at least three sets show, one set's drawings
are kept away from training and measured: what is right there was told from other hands' drawings.
"""

import itertools
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from engines.grounds import COLOURS, INKS, paint
from engines.starters.small_networks.training import train
from engines.starters.text_to_image.concepts import concepts
from engines.starters.text_to_image.sources import read_drawings

SIDE = 64
GROUPS = ("animals", "plants", "food", "vehicles", "nature")
SETS = ("emoji", "blob emoji", "line drawing", "icon")
BATCH = 64
STEPS = 2600
RATE = 3e-3
WIDTHS = (24, 48, 96, 128)
_GROUNDS = 1500
_SMOOTHING = 0.05


@dataclass(frozen=True, kw_only=True)
class Drawings:
    """Drawings, `pixels` uint8 `[N, 4, 64, 64]` (colours times alpha, alpha), which thing and set each shows.

    `is_ink`: of one colour, which may be chosen.
    """

    pixels: npt.NDArray[np.uint8]
    things: npt.NDArray[np.int64]
    sets: npt.NDArray[np.int64]
    is_ink: npt.NDArray[np.bool_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Drawings":
        """Keep the chosen ones."""
        return Drawings(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @property
    def held_out(self) -> npt.NDArray[np.bool_]:
        """Which are kept away from training: of each thing one set in turn, where three or four show it."""
        held = np.zeros(len(self.things), dtype=np.bool_)
        for thing in np.unique(self.things):
            sets = np.unique(self.sets[self.things == thing])
            if len(sets) > 2:
                held |= (self.things == thing) & (self.sets == sets[thing % len(sets)])
        return held


def class_names() -> tuple[str, ...]:
    """The things it tells apart, in the order of its outputs. A cat's face is a cat."""
    return tuple(
        dict.fromkeys(_thing(one.noun) for one in concepts().values() if one.core and one.group in GROUPS)
    )


def _thing(noun: str) -> str:
    return noun.removesuffix(" face")


def read(images: Path) -> Drawings:
    """Read the drawings of the things from the folder of picture sets. Raises MissingSource."""
    names = class_names()
    groups = {one.noun: one.group for one in concepts().values()}
    rows = []
    for drawing in read_drawings(images):
        thing = _thing(drawing.noun)
        if groups[drawing.noun] not in GROUPS or thing not in names:
            continue
        is_ink = drawing.image.mode == "L"
        # Colours times alpha: what is transparent has no colour that could bleed in.
        whole = drawing.image if is_ink else drawing.image.convert("RGBa")
        array = np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        if is_ink:
            array = np.repeat(array[..., None], 4, axis=-1)
        kind = "icon" if drawing.style.endswith("icon") else drawing.style
        rows.append((array.transpose(2, 0, 1), names.index(thing), SETS.index(kind), is_ink))
    pixels, things, sets, inks = zip(*rows, strict=True)
    return Drawings(
        pixels=np.stack(pixels),
        things=np.asarray(things, np.int64),
        sets=np.asarray(sets, np.int64),
        is_ink=np.asarray(inks, np.bool_),
    )


class Composer:
    """Composes labelled pictures of drawings on grounds; the same seed gives the same pictures."""

    def __init__(self, drawings: Drawings, *, seed: int) -> None:
        self._drawings = drawings
        self._rng = np.random.default_rng(seed)
        self._random = torch.Generator().manual_seed(seed)
        grounds = [paint(self._rng, SIDE).pixels for _number in range(_GROUNDS)]
        self._grounds = torch.from_numpy(np.stack(grounds)).permute(0, 3, 1, 2)
        self._inks = torch.tensor([COLOURS[name] for name in INKS]) / 255

    def batch(self, picks: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return float32 `[N, 3, 64, 64]` from 0 to 1 and the numbers of the things, of these drawings."""
        count = len(picks)
        pixels = torch.from_numpy(self._drawings.pixels[picks]).float() / 255
        colour, alpha = pixels[:, :3], pixels[:, 3:]
        inks = self._inks[torch.randint(len(self._inks), (count,), generator=self._random)]
        is_ink = torch.from_numpy(self._drawings.is_ink[picks])[:, None, None, None]
        colour = torch.where(is_ink, inks[:, :, None, None] * alpha, colour)
        placed = functional.grid_sample(
            torch.cat([colour, alpha], dim=1), self._places(count), align_corners=False
        )
        colour, alpha = placed[:, :3], placed[:, 3:]
        grounds = self._grounds[torch.randint(_GROUNDS, (count,), generator=self._random)].float() / 255
        grounds = self._apart(colour, alpha, grounds)
        return self._worn(colour + grounds * (1 - alpha)), torch.from_numpy(self._drawings.things[picks])

    def random_batch(self, size: int) -> tuple[Tensor, Tensor]:
        """A batch in which every thing is as likely as any other, and every set of it."""
        things = self._drawings.things
        picks = []
        for thing in self._rng.choice(np.unique(things), size):
            of_thing = np.flatnonzero(things == thing)
            chosen = self._rng.choice(np.unique(self._drawings.sets[of_thing]))
            picks.append(self._rng.choice(of_thing[self._drawings.sets[of_thing] == chosen]))
        return self.batch(np.asarray(picks, np.int64))

    def _places(self, count: int) -> Tensor:
        """Where each drawing lies: half as large as the picture to as large, turned by up to 20 degrees."""
        scale = self._between(1.0, 2.0, count)
        angle = self._between(-0.35, 0.35, count)
        mirror = torch.where(torch.rand(count, generator=self._random) < 0.5, -1.0, 1.0)
        cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
        free = scale - 1
        matrix = torch.zeros(count, 2, 3)
        matrix[:, 0, 0], matrix[:, 0, 1] = cosine * mirror, -sine
        matrix[:, 1, 0], matrix[:, 1, 1] = sine * mirror, cosine
        matrix[:, :, 2] = (torch.rand(count, 2, generator=self._random) * 2 - 1) * free[:, None]
        return functional.affine_grid(matrix, [count, 4, SIDE, SIDE], align_corners=False)

    def _apart(self, colour: Tensor, alpha: Tensor, grounds: Tensor) -> Tensor:
        """Turn the grounds to their opposite where nobody could see the drawing on them."""
        weight = alpha.sum((1, 2, 3)).clamp(min=1e-3)
        drawn = colour.sum((2, 3)) / weight[:, None]
        near = (drawn - grounds.mean((2, 3))).norm(dim=1) < 0.35
        return torch.where(near[:, None, None, None], 1 - grounds, grounds)

    def _worn(self, images: Tensor) -> Tensor:
        """Other light, other colours, a little noise, sometimes greys."""
        count = len(images)
        contrast = self._between(0.6, 1.3, count)[:, None, None, None]
        light = self._between(-0.15, 0.15, count)[:, None, None, None]
        tint = 1 + 0.15 * torch.randn(count, 3, 1, 1, generator=self._random)
        images = (images - 0.5) * contrast * tint + 0.5 + light
        grey = torch.rand(count, generator=self._random) < 0.15
        images = torch.where(grey[:, None, None, None], images.mean(1, keepdim=True), images)
        noise = self._between(0, 0.06, count)[:, None, None, None]
        return (images + noise * torch.randn(images.shape, generator=self._random)).clamp(0, 1)

    def _between(self, low: float, high: float, count: int) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=self._random)


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al., arXiv 1512.03385), the first of them with the stride."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Conv2d(into, out, 1, stride, bias=False) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`[N, into, H, W]` to `[N, out, H / stride, W / stride]`."""
        inside = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inside)) + self.shortcut(x))


class Identifier(nn.Module):
    """Says what a picture shows: `[N, 3, 64, 64]` from 0 to 1 to one number a thing, before the softmax."""

    def __init__(self, things: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTHS[0], 5, 2, 2, bias=False)
        self.norm = nn.BatchNorm2d(WIDTHS[0])
        self.blocks = nn.Sequential(*(Block(into, out, 2) for into, out in itertools.pairwise(WIDTHS)))
        self.head = nn.Linear(WIDTHS[-1], things)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self.norm(self.stem(x * 2 - 1)))
        things: Tensor = self.head(self.blocks(x).mean((2, 3)))
        return things


def train_identifier(drawings: Drawings, out: Path, *, steps: int = STEPS, seed: int = 0) -> Identifier:
    """Train on what is not held out; returns the averaged network."""
    torch.manual_seed(seed)
    composer = Composer(drawings.where(~drawings.held_out), seed=seed)
    network = Identifier(len(class_names()))

    def loss(_step: int) -> Tensor:
        images, things = composer.random_batch(BATCH)
        logits = network(images.contiguous(memory_format=torch.channels_last))
        return functional.cross_entropy(logits.float(), things, label_smoothing=_SMOOTHING)

    averaged = train(network, loss, out=out, steps=steps, rate=RATE, decay=0.02)
    assert isinstance(averaged, Identifier)
    return averaged


@torch.inference_mode()
def measure_identifier(
    network: nn.Module, held: Drawings, *, views: int = 8, seed: int = 99
) -> dict[str, float]:
    """Shares of drawings told right (first, among the first five), also by set; `views` of each."""
    composer = Composer(held, seed=seed)
    right, among = [], []
    for start in range(0, len(held.things), 32):
        picks = np.arange(start, min(start + 32, len(held.things))).repeat(views)
        images, things = composer.batch(picks)
        best = network(images).topk(5).indices
        right.append((best[:, 0] == things).numpy())
        among.append((best == things[:, None]).any(1).numpy())
    first, five = np.concatenate(right), np.concatenate(among)
    sets = held.sets.repeat(views)
    by_set = {
        f"first, {name}": float(first[sets == place].mean())
        for place, name in enumerate(SETS)
        if (sets == place).any()
    }
    return {
        "drawings": float(len(held.things)),
        "first": float(first.mean()),
        "five": float(five.mean()),
        **by_set,
    }
