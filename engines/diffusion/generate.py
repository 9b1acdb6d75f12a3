"""Pictures from prompts, from pictures and inside masks; samples of one batch may use different LoRAs.

Noise comes from each sample's own seed, and nothing couples samples, so a picture equals what it would have
been alone: in float32 to within `TOLERANCE` levels of 255 on one machine (sums are added in another order).
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from engines.diffusion.base import Base
from engines.diffusion.families import Text
from engines.diffusion.lora import NO_LORA
from engines.diffusion.objectives import Objective, objective_of
from engines.diffusion.per_sample import per_sample
from engines.errors import ConfigError
from engines.hardware import free_memory, is_out_of_memory
from engines.images import UInt8Array

TOLERANCE = 2
MAX_SEED = 2**63 - 1
MAX_STEPS = 150


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture to make. `lora` is the name under which a LoRA was put into the base.

    With `image` (uint8 `[H, W, 3]`, resized where its size differs) the picture starts from it: `strength` 0
    keeps it, 1 forgets it. With `mask` (uint8 `[H, W]`) only what is bright there is made anew.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    guidance: float | None = None  # None: the family's
    lora: str | None = None
    lora_scale: float = 1.0
    image: UInt8Array | None = None
    mask: UInt8Array | None = None
    strength: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"Seeds go from 0 to {MAX_SEED}; you gave {self.seed}.")
        if not 0 < self.strength <= 1:
            raise ConfigError(f"The strength must be above 0 and at most 1; you gave {self.strength}.")
        if self.mask is not None and self.image is None:
            raise ConfigError(
                "A mask needs the picture that it belongs to. Add the picture or drop the mask."
            )


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The state after one step of one batch; `indices` say which samples of the call it belongs to."""

    step: int
    total: int
    indices: tuple[int, ...]
    _decoded: Callable[[], list[UInt8Array]]

    def pictures(self) -> list[UInt8Array]:
        """What the pictures would be by now: uint8 `[H/f, W/f, 3]`, or whole ones where decoding is quick.

        They are decoded when asked for: that takes as long as a step or two.
        """
        return self._decoded()


Watcher = Callable[[Preview], None]


def generate(
    base: Base,
    samples: Sequence[Sample],
    *,
    width: int,
    height: int,
    steps: int | None = None,
    batch: int = 4,
    watcher: Watcher | None = None,
    preview_every: int = 4,
) -> list[UInt8Array]:
    """Pictures uint8 `[height, width, 3]` in the samples' order, at most `batch` of them at once.

    `watcher` is called every `preview_every` steps; it may raise, which ends the call, and costs next to
    nothing unless it looks at the pictures. Where memory runs out,
    batches are halved once. Raises ConfigError for sizes and settings that cannot be, and with what would
    fit where not even halves do.
    """
    steps = steps or base.family.default_steps
    multiple = base.multiple
    if width % multiple or height % multiple or min(width, height) <= 0:
        raise ConfigError(f"Width and height must be multiples of {multiple}; you gave {width} x {height}.")
    if not 1 <= steps <= MAX_STEPS:
        raise ConfigError(f"Steps go from 1 to {MAX_STEPS}; you gave {steps}.")

    def made(indices: tuple[int, ...]) -> list[UInt8Array]:
        def shown(step: int, clean: Tensor) -> None:
            if watcher and step % preview_every == 0:
                decoded = partial(preview, base, clean)
                watcher(Preview(step=step, total=steps, indices=indices, _decoded=decoded))

        return _Batch(base, [samples[index] for index in indices], width, height, steps).pictures(shown)

    def fits(count: int) -> bool:
        some = _Batch(base, (samples[0],) * count, width, height, steps=1)
        return _if_it_fits(base, lambda: some.pictures(lambda *_: None)) is not None

    pictures: dict[int, UInt8Array] = {}
    parts = 1
    for indices in _batches(samples, steps, batch):
        found = _in_parts(base, indices, parts, made)
        if found is None and parts == 1 < len(indices):
            parts = 2
            found = _in_parts(base, indices, parts, made)
        if found is None:
            raise ConfigError(_too_many(-(-len(indices) // parts), (width, height), fits))
        pictures |= found
    return [pictures[index] for index in range(len(samples))]


def generate_latents(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], *, width: int, height: int, steps: int
) -> Tensor:
    """Latents `[N, C, H, W]` that the bare base makes, not decoded: prior preservation learns from them."""
    samples = [Sample(prompt=prompt, seed=seed) for prompt, seed in zip(prompts, seeds, strict=True)]
    return _Batch(base, samples, width, height, steps).latents(lambda *_: None)


@torch.no_grad()
def preview(base: Base, latents: Tensor) -> list[UInt8Array]:
    """Pictures of latents, quickly: decoded where that is quick, else three channels of a linear fit."""
    if type(base.pipeline.vae).__name__ == "AutoencoderTiny":
        return list(_to_uint8(base.decode(latents)))
    weight, bias = base.linear_decoder
    return list(_to_uint8(torch.einsum("nchw,cd->ndhw", latents.float(), weight) + bias[:, None, None]))


def _batches(samples: Sequence[Sample], steps: int, limit: int) -> list[tuple[int, ...]]:
    """Which samples run together: such that start at the same step."""
    starts: dict[int, list[int]] = {}
    for index, sample in enumerate(samples):
        starts.setdefault(_first_step(sample, steps), []).append(index)
    return [
        tuple(members[first : first + limit])
        for members in starts.values()
        for first in range(0, len(members), limit)
    ]


def _in_parts(
    base: Base, indices: tuple[int, ...], parts: int, made: Callable[[tuple[int, ...]], list[UInt8Array]]
) -> dict[int, UInt8Array] | None:
    """The pictures of a batch that is taken in so many parts; None where memory runs out."""
    found: dict[int, UInt8Array] = {}
    for part in range(parts):
        some = indices[part::parts]
        pictures = _if_it_fits(base, partial(made, some))
        if pictures is None:
            return None
        found |= zip(some, pictures, strict=True)
    return found


def _if_it_fits(base: Base, made: Callable[[], list[UInt8Array]]) -> list[UInt8Array] | None:
    """None where memory runs out; what was reserved is free again when this returns."""
    try:
        return made()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    free_memory(base.device)
    return None


def _too_many(at_once: int, size: tuple[int, int], fits: Callable[[int], bool]) -> str:
    """What to say where `at_once` pictures were too many: how many would fit."""
    what = f"of {size[0]} x {size[1]} pixels"
    for fewer in dict.fromkeys((at_once // 2, at_once // 4, 1)):
        if 0 < fewer < at_once and fits(fewer):
            return f"{at_once} pictures {what} at once do not fit into memory; {fewer} would. Ask for fewer."
    return f"Not even one picture {what} fits into memory. Choose a smaller size."


def _first_step(sample: Sample, steps: int) -> int:
    return 0 if sample.image is None else steps - max(1, int(steps * sample.strength))


class _Batch:
    """Samples that go through the denoiser together."""

    def __init__(self, base: Base, samples: Sequence[Sample], width: int, height: int, steps: int) -> None:
        self.base, self.samples = base, samples
        self.size = (width, height)
        self.shape = base.latent_shape(width, height)
        self.objective: Objective = objective_of(base)
        self.sampler = self.objective.sampler(steps, base.family.tokens(self.shape[1:]))
        self.begin = _first_step(samples[0], steps)
        default = base.family.default_guidance
        told = [default if sample.guidance is None else sample.guidance for sample in samples]
        self.guidance = torch.tensor(told, dtype=torch.float32, device=base.device)
        self.compares = not base.family.is_distilled(base.pipeline)
        self.originals, self.masks = self._originals(), self._masks()

    @torch.no_grad()
    def pictures(self, shown: Callable[[int, Tensor], None]) -> list[UInt8Array]:
        decoded = _to_uint8(self.base.decode(self.latents(shown)))
        return [
            self._outside_kept(sample, picture) for sample, picture in zip(self.samples, decoded, strict=True)
        ]

    @torch.no_grad()
    def latents(self, shown: Callable[[int, Tensor], None]) -> Tensor:
        names = [sample.lora or NO_LORA for sample in self.samples]
        with per_sample(self.base, names, [sample.lora_scale for sample in self.samples]):
            return self._denoised(self._text(), shown)

    def _denoised(self, text: Text, shown: Callable[[int, Tensor], None]) -> Tensor:
        timesteps = self.sampler.timesteps[self.begin :].to(self.base.device)
        noise = self._noise()
        state = noise
        if self.originals is not None:
            known = self.objective.noisy(self.originals, noise, timesteps[:1].float().expand(len(noise)))
            begins_there = torch.tensor([sample.image is not None for sample in self.samples]).to(
                noise.device
            )
            state = torch.where(begins_there[:, None, None, None], known, noise)
        self.sampler.set_begin_index(self.begin)
        for number, (now, after) in enumerate(itertools.pairwise([*timesteps, None])):
            times = now.float().expand(len(state))
            predicted = self._predicted(state, times, text)
            shown(self.begin + number + 1, self.objective.clean(state, predicted, times))
            state = self.sampler.step(predicted, now, state, return_dict=False)[0]
            state = self._with_known(state, noise, after)
        return state

    def _predicted(self, state: Tensor, times: Tensor, text: Text) -> Tensor:
        """One prediction, or wanted and unwanted text compared (Ho and Salimans 2022, arXiv 2207.12598)."""
        if not self.compares:
            return self.base.predict(state, times, text, guidance=self.guidance)
        both = self.base.predict(torch.cat((state, state)), torch.cat((times, times)), text)
        wanted, unwanted = both.chunk(2)
        return unwanted + self.guidance[:, None, None, None] * (wanted - unwanted)

    def _with_known(self, state: Tensor, noise: Tensor, after: Tensor | None) -> Tensor:
        """Outside masks the original, as noisy as the rest is by now."""
        if self.masks is None or self.originals is None:
            return state
        known = self.originals
        if after is not None:
            known = self.objective.noisy(known, noise, after.float().expand(len(noise)))
        return self.masks * state + (1 - self.masks) * known

    def _text(self) -> Text:
        prompts = [sample.prompt for sample in self.samples]
        if self.compares:
            prompts += [sample.negative_prompt for sample in self.samples]
        return self.base.encode_text(prompts)

    def _noise(self) -> Tensor:
        """From each sample's seed, on the processor: the same on every machine."""
        rows = [
            torch.randn(self.shape, generator=torch.Generator().manual_seed(sample.seed))
            for sample in self.samples
        ]
        return torch.stack(rows).to(self.base.device)

    def _originals(self) -> Tensor | None:
        if all(sample.image is None for sample in self.samples):
            return None
        white = np.full((1, 1, 3), 255, np.uint8)
        given = [white if sample.image is None else sample.image for sample in self.samples]
        pictures = np.stack([_resized(picture, self.size) for picture in given])
        tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.base.encode_pictures(tensor)

    def _masks(self) -> Tensor | None:
        """float32 `[N, 1, H, W]` in latents, 1 where the picture is made anew."""
        if all(sample.mask is None for sample in self.samples):
            return None
        white = np.full((1, 1), 255, np.uint8)
        given = [white if sample.mask is None else sample.mask for sample in self.samples]
        masks = np.stack([_resized(mask, self.size) for mask in given])
        tensor = torch.from_numpy(masks)[:, None].float() / 255
        return functional.adaptive_max_pool2d(tensor, self.shape[1:]).to(self.base.device)

    def _outside_kept(self, sample: Sample, picture: UInt8Array) -> UInt8Array:
        """The original's own pixels outside the mask, as the autoencoder would change them a little."""
        if sample.mask is None or sample.image is None:
            return picture
        share = _resized(sample.mask, self.size)[..., None].astype(np.float32) / 255
        mixed = share * picture + (1 - share) * _resized(sample.image, self.size)
        return np.asarray(mixed.round(), np.uint8)


def _resized(picture: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _to_uint8(pictures: Tensor) -> UInt8Array:
    scaled = ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()
