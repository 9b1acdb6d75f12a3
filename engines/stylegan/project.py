"""Finding the point of a latent space whose picture comes nearest to a given one.

As in StyleGAN2 (1912.04958, appendix D) w is found by gradient descent, shaken at first so that it does not
settle in the next best hollow. Its noise maps are not fitted: they would not be part of the point, whose
picture could then never be shown again. What counts as near is seen by the model's own discriminator, which
knows what matters in its pictures, where it has one.
"""

import enum
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engines.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from engines.errors import DivergedError, ModelError
from engines.images import UInt8Array, to_uint8
from engines.progress import Control, Host, Progress, SilentHost
from engines.stylegan.directions import mapped_samples
from engines.stylegan.generate import Generator
from engines.stylegan.nearness import Nearness, Yardstick, features_for
from engines.stylegan.points import Vector
from engines.stylegan.projecting import ProjectConfig, check_picture
from engines.stylegan.randomness import Purpose, latents, torch_rng

CANDIDATES = 128  # random w that are tried as a start, and what unrelated pictures are measured by
BATCH = 16
FLOOR_SEED = 1_000_003


class Outcome(enum.StrEnum):
    """How a projection ended."""

    FINISHED = "finished"
    STOPPED = "stopped"  # the host asked for it; with a state folder it can go on


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What was found: `point` and its `picture`, uint8 `[R, R, 3]`.

    `reached` says how near it is. To judge that: `unrelated` is how near random pictures of the model are on
    average, `best_random` the nearest of CANDIDATES, and `projection_floor` how near the model comes to a
    picture of its own.
    """

    outcome: Outcome
    step: int
    point: Vector
    picture: UInt8Array
    reached: Nearness
    best_random: Nearness
    unrelated: Nearness


class Projector:
    """Projects pictures into one model. Keep it beside the generator: it holds the discriminator.

    `folder` is the model's, where its discriminator lies; without one the features are those of a network
    with fixed random weights.
    """

    def __init__(self, generator: Generator, folder: Path | None = None) -> None:
        self.generator = generator
        self.features, self.uses_discriminator = features_for(generator.info, folder)
        samples = mapped_samples(generator)
        self.deviation = float(samples.var(dim=0).mean().sqrt())

    def project(
        self,
        picture: UInt8Array,
        config: ProjectConfig,
        host: Host | None = None,
        *,
        on_picture: Callable[[int, UInt8Array], None] | None = None,
        picture_every: int = 25,
        state: Path | None = None,
    ) -> Projection:
        """Find the point for a uint8 `[R, R, 3]`, R the model's resolution.

        `on_picture(step, uint8 [R, R, 3])` is called every `picture_every` steps. Where the host stops it,
        what was found so far is returned; with a `state` folder the search is kept there and goes on from it
        the next time, to the same end as an uninterrupted one. Raises DatasetError for a picture of another
        size or of one colour, ModelError where the kept state is of another search, DivergedError where the
        numbers get out of hand.
        """
        host = host or SilentHost()
        check_picture(picture, self.generator.resolution)
        search = _Search.begun(self, picture, config, state)
        outcome = Outcome.FINISHED
        while search.step < config.steps:
            distance = search.advance()
            if on_picture is not None and search.step % picture_every == 0:
                on_picture(search.step, search.picture())
            progress = Progress(step=search.step, total=config.steps, losses={"distance": distance})
            if host.progress(progress) is Control.STOP and search.step < config.steps:
                outcome = Outcome.STOPPED
                break
        if state is not None:
            search.keep(state)
        return search.result(outcome)


def projection_floor(projector: Projector, config: ProjectConfig, *, seed: int = FLOOR_SEED) -> Nearness:
    """How near a projection comes to a picture that the model can make exactly: its own of a seed.

    It takes as long as any projection and is the same for all pictures, so keep it with the model.
    """
    z = latents([seed], projector.generator.z_dim)
    with torch.no_grad():
        w = projector.generator.mapping(z)
    own = projector.generator.images_of(w[:, None].expand(-1, projector.generator.num_ws, -1))[0]
    return projector.project(own, config).reached


class _Search:
    """w = mean + deviation * (shared + own), own `[num_ws, w_dim]` only in W+; both found by Adam."""

    def __init__(self, projector: Projector, picture: UInt8Array, config: ProjectConfig) -> None:
        self._generator, self._config = projector.generator, config
        self._deviation = projector.deviation
        self._yardstick = Yardstick(picture, projector.features, pixel_weight=config.pixel_weight)
        whole = json.dumps([projector.generator.info.sha256, projector.uses_discriminator, asdict(config)])
        self._identity = hashlib.sha256(whole.encode() + picture.tobytes()).hexdigest()
        width = len(self._generator.w_avg)
        self._shared = torch.zeros(1, width, requires_grad=True)
        self._own = torch.zeros(self._generator.num_ws, width, requires_grad=True)
        self._optimizer = torch.optim.Adam([self._shared, self._own], betas=(0.9, 0.999))
        self.step = 0
        self._best_random = self._unrelated = Nearness(distance=0.0, grey_levels=0.0)

    @classmethod
    def begun(
        cls, projector: Projector, picture: UInt8Array, config: ProjectConfig, state: Path | None
    ) -> "_Search":
        """A search at its start, or where the one kept in `state` left off."""
        search = cls(projector, picture, config)
        kept = load_checkpoint(state) if state is not None else None
        if kept is None:
            search._choose_start()
        else:
            search._restore(kept)
        return search

    def advance(self) -> float:
        """One step; returns the distance before it."""
        config, step = self._config, self.step
        self._own.requires_grad_(config.is_free(step))
        rng = torch_rng(config.seed, Purpose.PROJECTION, step + 1)
        noise = torch.randn(self._shared.shape, generator=rng) * config.shaking(step)
        distance = self._yardstick.distance(self._generator.synthesis(self._ws(noise)))[0]
        spread = self._own.square().mean()
        self._optimizer.param_groups[0]["lr"] = config.rate(step)
        self._optimizer.zero_grad()
        loss = distance + config.spread_weight * spread
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stubs
        self._optimizer.step()
        self.step += 1
        value = float(distance.detach())
        if not math.isfinite(value) or not bool(torch.isfinite(self._shared).all()):
            raise DivergedError("The search got lost. Try again with a smaller learning rate.")
        return value

    def picture(self) -> UInt8Array:
        """uint8 `[R, R, 3]` of where the search is."""
        picture: UInt8Array = to_uint8(self._image().numpy())[0]
        return picture

    def result(self, outcome: Outcome) -> Projection:
        """What has been found so far."""
        with torch.no_grad():
            values = self._ws()[0] if self._config.space == "w+" else self._ws()[0, :1]
        (reached,) = self._yardstick.nearness(self._image())
        return Projection(
            outcome=outcome,
            step=self.step,
            point=Vector.of(values.numpy(), model=self._generator.info.sha256),
            picture=self.picture(),
            reached=reached,
            best_random=self._best_random,
            unrelated=self._unrelated,
        )

    def keep(self, folder: Path) -> None:
        """Save everything, complete or not at all."""
        tensors = {"shared": self._shared, "own": self._own}
        for name, parameter in (("shared", self._shared), ("own", self._own)):
            for key, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"{name}.{key}"] = value
        values = {
            "identity": self._identity,
            "step": self.step,
            "best_random": asdict(self._best_random),
            "unrelated": asdict(self._unrelated),
        }
        save_checkpoint(folder, self.step, Checkpoint({"search": tensors}, values))

    def _restore(self, kept: Checkpoint) -> None:
        if kept.values.get("identity") != self._identity:
            raise ModelError(
                "What is kept there is another projection: of another picture, model or settings. Choose "
                "another folder."
            )
        tensors = dict(kept.groups["search"])
        with torch.no_grad():
            self._shared.copy_(tensors.pop("shared"))
            self._own.copy_(tensors.pop("own"))
        for full_name, value in tensors.items():
            name, key = full_name.split(".", 1)
            self._optimizer.state[self._shared if name == "shared" else self._own][key] = value
        self.step = kept.values["step"]
        self._best_random = Nearness(**kept.values["best_random"])
        self._unrelated = Nearness(**kept.values["unrelated"])

    @torch.no_grad()
    def _choose_start(self) -> None:
        """Begin at the nearest of some random w and their mean: the right hollow is half the way."""
        rng = torch_rng(self._config.seed, Purpose.PROJECTION)
        w = self._generator.mapping(torch.randn(CANDIDATES, self._generator.z_dim, generator=rng))
        w = torch.cat([w, self._generator.w_avg[None]])
        found = [
            nearness
            for part in torch.split(w, BATCH)
            for nearness in self._yardstick.nearness(self._generator.synthesis(self._broadcast(part)))
        ]
        best = int(np.argmin([each.distance for each in found]))
        self._shared.copy_((w[best] - self._generator.w_avg) / self._deviation)
        self._best_random = found[best]
        self._unrelated = Nearness(
            distance=float(np.mean([each.distance for each in found[:-1]])),
            grey_levels=float(np.mean([each.grey_levels for each in found[:-1]])),
        )

    @torch.no_grad()
    def _image(self) -> Tensor:
        image: Tensor = self._generator.synthesis(self._ws())
        return image

    def _ws(self, noise: Tensor | float = 0.0) -> Tensor:
        """`[1, num_ws, w_dim]`."""
        return (self._generator.w_avg + self._deviation * (self._shared + noise + self._own))[None]

    def _broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, self._generator.num_ws, -1)
