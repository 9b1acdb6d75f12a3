"""What each quality figure of a snapshot is called and means, for pages and reports. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Better = Literal["lower", "closer to real"]

SAMPLES = "distance_samples"  # how many generated, and as many real, pictures each figure rests on


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. `reference` is the key of the same figure for real pictures against other real ones."""

    key: str
    title: str
    meaning: str
    better: Better
    reference: str
    reference_title: str


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        figure.key: figure
        for figure in (
            Figure(
                key="distance",
                title="Frechet distance on random features",
                meaning=(
                    "How far the generated pictures as a whole are from your pictures, as a fixed random "
                    "network sees them. It is not FID and cannot be compared with FID."
                ),
                better="lower",
                reference="distance_floor",
                reference_title="Floor: your pictures against each other",
            ),
            Figure(
                key="kernel_distance",
                title="Kernel distance on random features",
                meaning=(
                    "The same comparison by another formula, which few pictures do not make larger. "
                    "Around 0 the two sets cannot be told apart; slightly below 0 is chance."
                ),
                better="lower",
                reference="kernel_distance_floor",
                reference_title="Floor: your pictures against each other",
            ),
            Figure(
                key="sliced_wasserstein",
                title="Sliced Wasserstein distance of patches",
                meaning="How far fine and coarse details of the generated pictures are from those of yours.",
                better="lower",
                reference="sliced_wasserstein_floor",
                reference_title="Floor: your pictures against each other",
            ),
            Figure(
                key="diversity",
                title="Variety",
                meaning=(
                    "How much generated pictures differ from each other. Far below the variety of your "
                    "pictures means that the model repeats itself."
                ),
                better="closer to real",
                reference="diversity_real",
                reference_title="Variety of your pictures",
            ),
        )
    }
)
