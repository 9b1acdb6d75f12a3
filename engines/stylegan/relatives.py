"""Which two models can be mixed, and how a mix weighs them. No torch here: pages ask before anything is made.

Weights of two networks can be averaged where they have the same shapes, but only between relatives, models
trained on from one starting point, do the same numbers do the same work; of strangers a mix is mostly noise.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engines.errors import ConfigError, ModelError
from engines.manifest import STYLEGAN2, ModelInfo

Method = Literal["average", "blend"]

SHARPNESS = (0.1, 20.0)
STRANGERS_WARNING = (
    "These two models have no common starting point, as far as their records say. A mix of such models "
    "rarely shows anything: look at the preview before you train on it."
)


class Kinship(enum.StrEnum):
    """How two models are related, by their lineage."""

    SAME = "same"
    DESCENDANT = "descendant"  # one was made from the other
    SIBLINGS = "siblings"  # both were made from a third one
    STRANGERS = "strangers"  # or their records do not say


@dataclass(frozen=True, kw_only=True)
class MixConfig:
    """How much the second model counts. Raises ConfigError for a value out of range.

    "average": `share` of every weight. "blend" (2010.05334): hardly below the resolution `swap`, nearly fully
    from there on, so that shapes are the first one's and looks the second's. `sharpness` is the slope of the
    logistic curve: at 4 the weight rises from 0.12 to 0.88 in one step. For the reverse exchange the models.
    """

    method: Method = "average"
    share: float = 0.5
    swap: int = 16
    sharpness: float = 4.0

    def __post_init__(self) -> None:
        if self.method not in {"average", "blend"}:
            raise ConfigError(f'Models are mixed by "average" or "blend"; you asked for "{self.method}".')
        if not 0.0 <= self.share <= 1.0:
            raise ConfigError(f"The share of the second model goes from 0 to 1; you gave {self.share}.")
        if self.swap < 4 or self.swap & (self.swap - 1):
            raise ConfigError(f"The resolution to swap at is 4, 8, 16, ...; you gave {self.swap}.")
        low, high = SHARPNESS
        if not low <= self.sharpness <= high:
            raise ConfigError(
                f"The sharpness of a blend goes from {low} to {high}; you gave {self.sharpness}."
            )

    def weight(self, resolution: int) -> float:
        """The share of the second model in the layers of a resolution: 2010.05334, section 3, logistic."""
        if self.method == "average":
            return self.share
        past = math.log2(resolution / self.swap) + 0.5  # the middle lies half way between two resolutions
        return 1.0 / (1.0 + math.exp(-self.sharpness * past))

    def as_dict(self) -> dict[str, Any]:
        """Plain values of what counts for the method."""
        names = ("method", "share") if self.method == "average" else ("method", "swap", "sharpness")
        return {name: value for name, value in asdict(self).items() if name in names}


def kinship(first: ModelInfo, second: ModelInfo) -> Kinship:
    """How two models are related."""
    ours, theirs = _ancestors(first), _ancestors(second)
    if first.sha256 == second.sha256:
        return Kinship.SAME
    if first.sha256 in theirs or second.sha256 in ours:
        return Kinship.DESCENDANT
    return Kinship.SIBLINGS if ours & theirs else Kinship.STRANGERS


def check_mixable(first: ModelInfo, second: ModelInfo) -> None:
    """Raise ModelError, naming every size that differs, unless weights of one fit the other."""
    if {first.family, second.family} != {STYLEGAN2}:
        raise ModelError("Only StyleGAN2 models can be mixed. Choose two of them.")
    differing = [
        f"{_SIZES.get(name, name)} {first.architecture.get(name)} and {second.architecture.get(name)}"
        for name in sorted(first.architecture.keys() | second.architecture.keys())
        if first.architecture.get(name) != second.architecture.get(name)
    ]
    if differing:
        raise ModelError(
            f"These two models cannot be mixed, because their networks differ: {', '.join(differing)}. "
            "Choose two models that come from the same starting point."
        )
    if first.sha256 == second.sha256:
        raise ModelError("These are the same model twice. Choose another one to mix it with.")


def mixed_info(first: ModelInfo, second: ModelInfo, config: MixConfig, *, name: str = "") -> ModelInfo:
    """What is known of a mix: both parents and all their lineage, both licences (as SPDX joins them)."""
    parents: list[Mapping[str, Any]] = [
        {
            "kind": "model",
            "sha256": info.sha256,
            "name": info.name,
            "licence": info.licence,
            "nimg": info.nimg,
            "mix": config.as_dict(),
        }
        for info in (first, second)
    ]
    lineage = [*parents, *first.lineage, *second.lineage]
    unique = [entry for number, entry in enumerate(lineage) if entry not in lineage[:number]]
    licences = sorted({info.licence for info in (first, second) if info.licence})
    return ModelInfo(
        family=STYLEGAN2,
        architecture=first.architecture,
        name=name or f"{first.name} and {second.name}",
        nimg=max(first.nimg, second.nimg),
        licence=licences[0] if len(licences) == 1 else " AND ".join(f"({each})" for each in licences),
        lineage=tuple(unique),
    )


def _ancestors(info: ModelInfo) -> set[str]:
    return {entry["sha256"] for entry in info.lineage if entry.get("kind") == "model"}


_SIZES = {
    "resolution": "resolution",
    "z_dim": "length of z",
    "w_dim": "length of w",
    "mapping_layers": "mapping layers",
    "channel_base": "channels in all",
    "channel_max": "channels at most",
}
