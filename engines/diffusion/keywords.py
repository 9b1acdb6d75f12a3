"""Keywords: names of one's own for subjects, and how much a base already means by a name.

A name means something where it moves the text's vectors elsewhere than names without meaning do. What names
without meaning do is measured with invented ones, made of rare pieces of the tokenizer's vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.diffusion.base import Base
from engines.diffusion.config import MEANS_SOMETHING
from engines.diffusion.families import Text
from engines.diffusion.lora import NO_LORA
from engines.diffusion.per_sample import per_sample
from engines.errors import ConfigError

SYLLABLES = ("ba", "do", "fi", "gu", "ki", "lo", "mi", "mo", "nu", "po", "ri", "su", "ta", "vo", "xu", "zo")
INVENTED = 24  # names that the scale is made of
SENTENCE = "a picture of {}"
TEXTS_AT_ONCE = 8


@dataclass(frozen=True)
class Meaning:
    """How far a name lies from names without meaning, in units of their own usual distance from their middle.

    About 1 means that the base reads it as any invented word; more than `MEANS_SOMETHING`, that it knows
    it. `tokens` is how many pieces the name is read as; a word of one piece was frequent in the captions.
    """

    distance: float
    tokens: int

    @property
    def is_known(self) -> bool:
        """Whether people should be warned about the name."""
        return self.tokens == 1 or self.distance > MEANS_SOMETHING


def meanings(base: Base, names: Sequence[str]) -> list[Meaning]:
    """How much the base already means by each name. Raises ConfigError for an empty name."""
    if not all(name.strip() for name in names):
        raise ConfigError("A keyword needs at least one letter.")
    invented = _invented(base.info.family, INVENTED)
    vectors = _vectors(base, [*invented, *names])
    reference, asked = vectors[: len(invented)], vectors[len(invented) :]
    middle = reference.mean(0)
    usual = (reference - middle).norm(dim=1).mean().clamp(min=1e-6)
    distances = ((asked - middle).norm(dim=1) / usual).tolist()
    return [
        Meaning(distance, _token_count(base, name)) for name, distance in zip(names, distances, strict=True)
    ]


def new_keyword(base: Base, seed: int = 0, candidates: int = 16) -> str:
    """A keyword that can be spoken and means nothing to the base: the least known of some invented ones."""
    names = _invented(str(seed), candidates)
    known = dict(zip(names, meanings(base, names), strict=True))
    return min(names, key=lambda name: (known[name].is_known, known[name].distance))


def token_counts(base: Base, prompts: Sequence[str]) -> list[tuple[int, int]]:
    """How many tokens each prompt has and how many are read; what comes after is cut off."""
    tokenizer = base.pipeline.tokenizer
    limit = int(tokenizer.model_max_length) - 2  # begin and end
    return [(_token_count(base, prompt), limit) for prompt in prompts]


def _token_count(base: Base, text: str) -> int:
    return len(base.pipeline.tokenizer.tokenize(text))


def _invented(seed: str, count: int) -> list[str]:
    """Words of three syllables, all different, the same for the same seed."""
    rng = np.random.default_rng(list(seed.encode()))
    numbers = rng.choice(len(SYLLABLES) ** 3, size=count, replace=False)
    words = []
    for number in numbers.tolist():
        first, rest = divmod(number, len(SYLLABLES) ** 2)
        words.append("".join(SYLLABLES[index] for index in (first, *divmod(rest, len(SYLLABLES)))))
    return words


@torch.no_grad()
def _vectors(base: Base, names: Sequence[str]) -> Tensor:
    """float32 `[N, D]`: what each name's sentence says, one vector of unit length for each kind of text."""
    prompts = [SENTENCE.format(name) for name in names]
    vectors = []
    for at in range(0, len(prompts), TEXTS_AT_ONCE):
        part = prompts[at : at + TEXTS_AT_ONCE]
        with per_sample(base, [NO_LORA] * len(part), [1.0] * len(part)):  # whatever LoRAs are inside
            vectors.append(_summary(base.encode_text(part)))
    return torch.cat(vectors)


def _summary(text: Text) -> Tensor:
    vectors = [tensor.float().flatten(1) for tensor in text.values()]
    return torch.cat([torch.nn.functional.normalize(vector, dim=1) for vector in vectors], 1).cpu()
