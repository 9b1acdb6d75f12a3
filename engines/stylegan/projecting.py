"""What decides a projection, and which pictures can be projected. No torch here: pages ask first."""

import math
from dataclasses import dataclass
from typing import Literal

from engines.errors import ConfigError, DatasetError
from engines.images import UInt8Array

Space = Literal["w", "w+"]

MAX_STEPS = 2000
RAMP_UP, RAMP_DOWN = 0.05, 0.25  # shares of the steps in which the step size grows and falls
SHAKEN = 0.5  # share of the steps with noise on w
SHAKING = 0.1  # standard deviations of w, at the beginning
FREE_FROM = 0.4  # share of the steps after which W+ lets each layer have its own w
FLAT = 2.0  # grey levels; less contrast than that is no picture


@dataclass(frozen=True, kw_only=True)
class ProjectConfig:
    """What decides a projection, besides model and picture. Raises ConfigError for a value out of range.

    `space` "w" keeps one w for all layers, so that the point can be moved and mixed as well as any; "w+"
    gives each layer its own in the later steps, which comes nearer, and `spread_weight` holds these together.
    `learning_rate` is in standard deviations of w; `pixel_weight` that of colours beside features.
    """

    steps: int = 300
    space: Space = "w+"
    learning_rate: float = 0.05
    pixel_weight: float = 1.0
    spread_weight: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if not 10 <= self.steps <= MAX_STEPS:
            raise ConfigError(f"A projection takes 10 to {MAX_STEPS} steps; you asked for {self.steps}.")
        if self.space not in {"w", "w+"}:
            raise ConfigError(f'A picture is projected into "w" or "w+"; you asked for "{self.space}".')
        for name in ("learning_rate", "pixel_weight", "spread_weight"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ConfigError(f"{name} must be a number from 0 up; you gave {value}.")

    def rate(self, step: int) -> float:
        """The step size after `step` steps: up quickly, then constant, then down to nearly nothing."""
        up = (step + 1) / (RAMP_UP * self.steps)
        left = (self.steps - step) / (RAMP_DOWN * self.steps)
        return self.learning_rate * min(1.0, up) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, left)))

    def shaking(self, step: int) -> float:
        """Standard deviation of the noise on w, in those of w itself."""
        return SHAKING * max(0.0, 1.0 - step / (SHAKEN * self.steps)) ** 2

    def is_free(self, step: int) -> bool:
        """Whether each layer has its own w in the step after `step` others."""
        return self.space == "w+" and step >= FREE_FROM * self.steps


def check_picture(picture: UInt8Array, resolution: int) -> None:
    """Raise DatasetError unless uint8 `[H, W, 3]` can be looked for in a model of this resolution."""
    if picture.shape != (resolution, resolution, 3):
        height, width = picture.shape[:2]
        raise DatasetError(
            f"The picture has {width} x {height} pixels and the model makes {resolution} x {resolution}. "
            "Crop and resize it first."
        )
    if float(picture.reshape(-1, 3).std(axis=0).max()) < FLAT:
        colour = "black" if picture.max() < 16 else "of one colour"
        raise DatasetError(
            f"This picture is {colour} all over, so there is nothing in it to look for. Choose another one."
        )
