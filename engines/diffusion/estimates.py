"""About how much a base has to compute for a picture and for a step of training. No torch here.

From the number of parameters alone, so within a factor of two: a transformer uses each of its parameters once
for a token, a UNet on average for a tenth of its latents, as its deeper layers see smaller feature maps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engines.diffusion.config import preset_for
from engines.diffusion.folders import BaseInfo
from engines.diffusion.manifests import base_resolution

LATENTS_PER_UNET_PARAMETER = 0.1
PIXELS_A_LATENT = 8  # a side
LATENTS_A_TOKEN = 4
# Forwards, and backwards through the frozen layers and the adapters: about twice as much again.
PASSES_OF_TRAINING = 3
# Of what a device computes in large convolutions, the share that a whole picture reaches.
EFFICIENCY = 0.5
# Steps that a family takes unless told otherwise, and predictions for each: two where texts are compared.
_STEPS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"starter": (24, 2), "sd15": (25, 2), "sdxl": (25, 2), "sd3": (28, 2), "flux": (28, 1)}
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """Multiply-adds, in billions: of a square picture at the base's own size, of a step of training."""

    picture: float
    training_step: float

    def seconds(self, billions_a_second: float) -> "Work":
        """The same in seconds, on a device of this measured speed (`engines.speed`)."""
        pace = EFFICIENCY * billions_a_second
        return Work(picture=self.picture / pace, training_step=self.training_step / pace)


def work_of(info: BaseInfo) -> Work:
    """How much a base computes, about."""
    denoiser = "unet" if "unet" in info.parameters else "transformer"
    parameters = info.parameters[denoiser]
    latents = (base_resolution(info) / PIXELS_A_LATENT) ** 2
    uses = latents * LATENTS_PER_UNET_PARAMETER if denoiser == "unet" else latents / LATENTS_A_TOKEN
    once = parameters * uses / 1e9
    steps, predictions = _STEPS[info.family]
    batch = int(preset_for("object", parameters).settings["batch"])
    return Work(picture=once * steps * predictions, training_step=once * batch * PASSES_OF_TRAINING)
