"""What an order of pictures from text asks for, between the form and the service."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.models import ModelVersion
from engines.provenance import Provenance
from generation.models import Generation, Picture, PromptStyle


@dataclass(frozen=True, kw_only=True)
class Start:
    """What pictures start from: a picture cut to the size that is asked for, and a mask of the same size.

    Attributes:
        image: a PNG in RGB.
        mask: a PNG in greys, bright where the picture is made anew; None: all of it is.
        picture: the gallery picture that it was, if it was one.
        record: what its file said of its making; whom that names, what is made from it names too.
    """

    image: bytes
    mask: bytes | None = None
    picture: Picture | None = None
    record: Provenance | None = None


@dataclass(frozen=True, kw_only=True)
class TextOrder:
    """Pictures from a prompt.

    `steps` and `guidance` None: what the base's kind is best at. `is_seed_chosen`: somebody asked for the
    first of the seeds, and it was not drawn by lot.
    """

    base: ModelVersion
    prompt: str
    width: int
    height: int
    seeds: Sequence[int]
    is_seed_chosen: bool = False
    negative_prompt: str = ""
    adapter: ModelVersion | None = None
    adapter_strength: float = 1.0
    style: PromptStyle | None = None
    ratio: str = ""
    resolution: int = 0
    steps: int | None = None
    guidance: float | None = None
    start: Start | None = None
    strength: float = 0.7

    @property
    def kind(self) -> Generation.Kind:
        """What the order is called."""
        if self.start is None:
            return Generation.Kind.TEXT
        return Generation.Kind.IMAGE if self.start.mask is None else Generation.Kind.INPAINT
