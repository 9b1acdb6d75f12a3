"""Settings of a LoRA training, and presets for characters, styles and objects. No torch here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from engines.choices import Device, Precision
from engines.errors import ConfigError

Kind = Literal["character", "style", "object"]
Size = Literal["small", "large"]  # of the base: up to 100 million parameters in its denoiser, or more
SMALL_PARAMETERS = 100_000_000
MIN_PICTURES, MAX_STEPS = 5, 20_000
MEANS_SOMETHING = 1.5  # distance from which on a base knows a name (`keywords.Meaning`)


@dataclass(frozen=True, kw_only=True)
class TrainPicture:
    """A picture and its captions, one of which is drawn each time; none: those of the preset."""

    path: Path
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training. `keyword` will stand for the subject, `class_word` is what it is ("cat", "drawing")."""

    base: Path
    run_dir: Path
    pictures: tuple[TrainPicture, ...]
    keyword: str
    class_word: str
    templates: tuple[str, ...]  # captions of pictures that have none
    steps: int
    name: str = ""
    author: str = ""
    licence: str = ""
    resolution: int | None = None  # None: the base's
    batch: int = 4
    learning_rate: float = 1e-4
    text_learning_rate: float = 0.0  # 0: the text encoders stay as they are, and texts are encoded once
    keyword_learning_rate: float = 0.0  # 0: the keyword gets no vectors of its own (`keyword_vectors`)
    warmup: int = 10
    rank: int = 16
    layers: Literal["attention", "all"] = "attention"
    convolutions: bool = False  # of UNets, too
    mirror: bool = False
    views: int = 4  # crops of each picture
    smallest_crop: float = 0.8  # side of the smallest crop, as a share of the largest
    surroundings: int = 0  # so many times each picture's subject is cut out and set somewhere else
    ground_weight: float = 0.25  # how much those surroundings count beside the subject
    caption_dropout: float = 0.1
    prior_pictures: int = 0  # generated pictures of the class; 0: no prior preservation
    prior_weight: float = 1.0
    prior_steps: int = 20
    ema: float = 0.98
    weight_decay: float = 0.01
    gradient_checkpointing: bool = False
    seed: int = 0
    snapshot_every: int = 200
    snapshots_kept: int = 5
    checkpoint_seconds: float = 120.0
    sample_prompts: tuple[str, ...] = ("{keyword} {class_word}",)
    sample_steps: int | None = None
    threads: int = 1
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        if len(self.pictures) < MIN_PICTURES:
            raise ConfigError(
                f"A training needs at least {MIN_PICTURES} pictures; you gave {len(self.pictures)}."
            )
        if not self.keyword.strip() or not self.class_word.strip() or not self.templates:
            raise ConfigError("A training needs a keyword, a word for what it shows, and a caption.")
        if not 1 <= self.steps <= MAX_STEPS:
            raise ConfigError(f"Steps go from 1 to {MAX_STEPS}; you gave {self.steps}.")
        for name in ("batch", "rank", "views", "snapshot_every", "snapshots_kept", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1; you gave {getattr(self, name)}.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"The learning rate must be above 0; you gave {self.learning_rate}.")
        for name in ("caption_dropout", "ema", "smallest_crop", "ground_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be between 0 and 1; you gave {getattr(self, name)}.")

    def captions_of(self, picture: TrainPicture) -> tuple[str, ...]:
        """A picture's captions, each with the keyword."""
        captions = picture.captions or tuple(self.filled(template) for template in self.templates)
        return tuple(with_keyword(caption, self.keyword) for caption in captions)

    def captions_in(self, place: str) -> tuple[str, ...]:
        """Captions of the subject set into a place, by the words for that, if any."""
        return tuple(f"{self.filled(template)} {place}".strip() for template in self.templates)

    def filled(self, template: str) -> str:
        """A template with this training's words."""
        return template.replace("{keyword}", self.keyword).replace("{class_word}", self.class_word)

    def learning_rate_at(self, step: int) -> float:
        """The share of the rate in the step after `step` others: warm-up, then a cosine to a tenth."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How a kind of subject is trained. Steps are `steps_per_picture` for each picture within limits."""

    templates: tuple[str, ...]
    sample_prompts: tuple[str, ...]
    steps_per_picture: int
    steps: tuple[int, int]
    prior_pictures: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def config(
        self, *, base: Path, run_dir: Path, pictures: tuple[TrainPicture, ...], **overrides: Any
    ) -> TrainConfig:
        """A complete TrainConfig. `overrides` are fields that win over the preset's."""
        low, high = self.steps
        values = {
            "templates": self.templates,
            "sample_prompts": self.sample_prompts,
            "steps": min(high, max(low, self.steps_per_picture * len(pictures))),
            "prior_pictures": self.prior_pictures,
            **self.settings,
            **overrides,
        }
        return TrainConfig(base=base, run_dir=run_dir, pictures=pictures, **values)


def with_keyword(caption: str, keyword: str) -> str:
    """The caption, with the keyword in front where it has none."""
    if keyword.casefold() in caption.casefold():
        return caption
    return f"{keyword}, {caption}" if caption else keyword


_THING = (
    "a picture of {keyword} {class_word}",
    "{keyword} {class_word}",
    "the {keyword} {class_word}",
    "one {keyword} {class_word}",
)
_SMALL_THING = ("a {keyword} {class_word}", *_THING[1:])  # "picture" is no word that small bases know
_STYLE = (
    "a {class_word} in the style of {keyword}",
    "{keyword} {class_word}",
    "{class_word}, {keyword} style",
)
_THING_SAMPLES = (
    "{keyword} {class_word}",
    "{keyword} {class_word} on a beach",
    "{keyword} {class_word} in the snow",
    "a drawing of {keyword} {class_word}",
)
_STYLE_SAMPLES = (
    "{keyword} {class_word} of a cat",
    "{keyword} {class_word} of a house",
    "{keyword} {class_word} of a tree",
    "{keyword} {class_word} of a car",
)
# Small bases learn with large steps and every layer, and their text encoders along; large ones gently.
_SMALL: Mapping[str, Any] = {
    "learning_rate": 2e-3,
    "text_learning_rate": 1e-3,
    "keyword_learning_rate": 1e-3,
    "layers": "all",
    "batch": 8,
    "ema": 0.98,
}
_LARGE: Mapping[str, Any] = {"learning_rate": 1e-4, "batch": 2, "ema": 0.99, "gradient_checkpointing": True}


def _thing(size: Size, **settings: Any) -> Preset:
    if size == "large":
        return Preset(
            templates=_THING,
            sample_prompts=_THING_SAMPLES,
            steps_per_picture=100,
            steps=(500, 2000),
            prior_pictures=40,
            settings={**_LARGE, "rank": 16, "mirror": True, **settings},
        )
    return Preset(
        templates=_SMALL_THING,
        sample_prompts=_THING_SAMPLES,
        steps_per_picture=40,
        steps=(800, 1200),
        prior_pictures=24,
        settings={**_SMALL, "rank": 48, "views": 1, "surroundings": 13, "mirror": True, **settings},
    )


def _style(size: Size) -> Preset:
    common = _SMALL if size == "small" else _LARGE
    return Preset(
        templates=_STYLE,
        sample_prompts=_STYLE_SAMPLES,
        steps_per_picture=40 if size == "small" else 150,
        steps=(400, 700) if size == "small" else (1000, 3000),
        prior_pictures=0,
        settings={**common, "rank": 16, "mirror": False, "smallest_crop": 0.9, "convolutions": True},
    )


PRESETS: Mapping[tuple[Kind, Size], Preset] = MappingProxyType(
    {
        # A face that is mirrored is another face; its text encoders are trained on large bases too.
        ("character", "small"): _thing("small", mirror=False),
        ("character", "large"): _thing("large", mirror=False, text_learning_rate=5e-5),
        ("style", "small"): _style("small"),
        ("style", "large"): _style("large"),
        ("object", "small"): _thing("small"),
        ("object", "large"): _thing("large", layers="all"),
    }
)


def preset_for(kind: Kind, denoiser_parameters: int) -> Preset:
    """The preset for a kind of subject on a base of that size (see `folders.BaseInfo.parameters`)."""
    return PRESETS[kind, "small" if denoiser_parameters <= SMALL_PARAMETERS else "large"]
