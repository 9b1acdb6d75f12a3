"""Pictures and their orders, prompts, and what people do in the latent space of a model."""

from .explore import DirectionName, Look, LookPicture, Memorisation, Projection, SavedPoint, Walk
from .pictures import Generation, Picture
from .prompts import BlockedWord, PromptStyle

__all__ = [
    "BlockedWord",
    "DirectionName",
    "Generation",
    "Look",
    "LookPicture",
    "Memorisation",
    "Picture",
    "Projection",
    "PromptStyle",
    "SavedPoint",
    "Walk",
]
