"""Vectors of a LoRA's own for its keyword (textual inversion: Gal et al. 2022, arXiv 2208.01618, section 4).

The keyword stays what the base's tokenizer makes of it, usually a few pieces. Where these stand in a row in a
prompt, the text encoder is given the LoRA's vectors instead of its own, and nowhere else: other words, other
LoRAs in the same batch and the bare base are left alone. Files call the vectors
`<text encoder>.lora_keyword`, float `[pieces, width]`; their metadata names the keyword (trigger phrase).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engines.errors import ModelError

ENDING = "lora_keyword"


@dataclass(frozen=True)
class _Keyword:
    """The keyword of one LoRA in one text encoder: the pieces it is read as, and the vectors for them."""

    pieces: tuple[int, ...]
    vectors: nn.Parameter


@dataclass
class KeywordVectors:
    """The keywords of all LoRAs in a base, and which of them each row of the texts that come uses.

    `rows` are names and strengths of a batch's samples; where there is none, `trained` is used everywhere.
    """

    trained: str = ""
    rows: Sequence[tuple[str, float]] = ()
    held: dict[tuple[str, str], _Keyword] = field(default_factory=dict)  # by LoRA and text encoder
    hooked: set[str] = field(default_factory=set)

    def add(
        self, pipeline: Any, component: str, name: str, keyword: str, vectors: Tensor | None = None
    ) -> None:
        """Give a LoRA vectors for its keyword: those of the base, to be trained, or such as were read.

        Raises ModelError where their number is not that of the keyword's pieces.
        """
        pieces = _pieces(pipeline, component, keyword)
        table = _table(pipeline, component)
        if vectors is None:
            own = nn.Parameter(table.weight[list(pieces)].detach().float().clone())
            self.trained = name
        elif vectors.shape == (len(pieces), table.weight.shape[1]):
            own = nn.Parameter(vectors.to(table.weight), requires_grad=False)
        else:
            raise ModelError(
                f"The vectors for “{keyword}” do not fit this base: they are {tuple(vectors.shape)}, not "
                f"{(len(pieces), table.weight.shape[1])}. Choose the base it is for."
            )
        self.held[name, component] = _Keyword(pieces, own)
        if component not in self.hooked:
            self.hooked.add(component)
            for module in _tables(pipeline, component):
                module.register_forward_hook(partial(self._replaced, component))

    def remove(self, name: str) -> None:
        """Forget a LoRA's vectors."""
        self.held = {key: value for key, value in self.held.items() if key[0] != name}
        self.trained = "" if self.trained == name else self.trained

    def parameters(self, name: str) -> dict[str, nn.Parameter]:
        """The vectors of a LoRA, by the names of files."""
        return {f"{part}.{ENDING}": own.vectors for (lora, part), own in self.held.items() if lora == name}

    @contextmanager
    def used_by(self, names: Sequence[str], scales: Sequence[float]) -> Iterator[None]:
        """Inside, row i of every batch of texts uses the vectors of `names[i]`, at strength `scales[i]`."""
        before, self.rows = self.rows, tuple(zip(names, scales, strict=True))
        try:
            yield
        finally:
            self.rows = before

    def _replaced(self, component: str, _: nn.Module, args: tuple[Tensor, ...], embedded: Tensor) -> Tensor:
        """The embeddings `[N, L, D]` of tokens `[N, L]`, with vectors where keywords stand."""
        tokens = args[0]
        rows = self.rows or ((self.trained, 1.0),)
        for name in dict.fromkeys(name for name, _ in rows):
            keyword = self.held.get((name, component))
            if keyword is None or tokens.shape[1] < len(keyword.pieces):
                continue
            shares = [scale if other == name else 0.0 for other, scale in rows]
            share = torch.tensor(shares * (len(tokens) // len(rows)), device=tokens.device)
            embedded = _with_vectors(embedded, tokens, keyword, share.to(embedded.dtype))
        return embedded


def _with_vectors(embedded: Tensor, tokens: Tensor, keyword: _Keyword, share: Tensor) -> Tensor:
    """Move the keyword's embeddings towards its vectors: in row i by `share[i]`."""
    count = len(keyword.pieces)
    windows = tokens.unfold(1, count, 1)
    begins = (windows == torch.tensor(keyword.pieces, device=tokens.device)).all(-1)
    for number in range(count):
        here = torch.zeros_like(tokens, dtype=embedded.dtype)
        here[:, number : number + begins.shape[1]] = begins.to(embedded.dtype)
        vector = keyword.vectors[number].to(embedded.dtype)
        embedded = embedded + (here * share[:, None])[..., None] * (vector - embedded)
    return embedded


def _pieces(pipeline: Any, component: str, keyword: str) -> tuple[int, ...]:
    tokenizer = getattr(pipeline, component.replace("text_encoder", "tokenizer"))
    pieces = tuple(tokenizer(keyword, add_special_tokens=False).input_ids) if keyword else ()
    if not pieces:
        raise ModelError("This LoRA has vectors for a keyword that it does not name. Get the file again.")
    return pieces


def _table(pipeline: Any, component: str) -> Any:
    return getattr(pipeline, component).get_input_embeddings()


def _tables(pipeline: Any, component: str) -> list[nn.Module]:
    """Every module that looks up the same table: T5 has two."""
    weight = _table(pipeline, component).weight
    modules = getattr(pipeline, component).modules()
    return [module for module in modules if isinstance(module, nn.Embedding) and module.weight is weight]
