"""From captions to what the transformer is told: tokenizer and two small text encoders, trained along.

The pair has the shape FLUX pipelines expect: a ``CLIPTextModel`` whose pooled vector speaks for the whole
caption and a ``T5EncoderModel`` whose vectors speak for each token. Both read the same byte-level
vocabulary, built from the captions this starter can be trained on.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel

LENGTH = 24  # tokens a caption, begin and end included; longer ones are cut
VOCABULARY = 2048
POOLED_WIDTH = 64
TOKEN_WIDTH = 128

_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(captions: Iterable[str]) -> CLIPTokenizer:
    """A byte-level BPE tokenizer in CLIP's layout: bytes, bytes that end a word, merges, begin, end."""
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    reference = CLIPTokenizer().backend_tokenizer
    trained.normalizer = reference.normalizer or normalizers.Lowercase()
    trained.pre_tokenizer = reference.pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    trained.train_from_iterator(captions, trainer)
    merges = _merges(trained)
    single = sorted(alphabet)
    room = VOCABULARY - 2 - 2 * len(single)
    pieces = [*single, *(byte + "</w>" for byte in single), *("".join(pair) for pair in merges[:room])]
    names = [*dict.fromkeys(pieces), _BEGIN, _END]
    vocabulary = {name: index for index, name in enumerate(names)}
    tokenizer: Any = CLIPTokenizer
    built: CLIPTokenizer = tokenizer(vocab=vocabulary, merges=merges[:room], model_max_length=LENGTH)
    return built


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(first, second) for first, second in pairs]


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> npt.NDArray[np.int16]:
    """Token numbers ``[N, LENGTH]``, padded with the end token."""
    batch = tokenizer(list(captions), padding="max_length", max_length=LENGTH, truncation=True)
    return np.asarray(batch["input_ids"], np.int16)


class TextEncoders(torch.nn.Module):
    """Both encoders as one trainable module."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        marks = {
            "vocab_size": len(tokenizer),
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        self.pooled: Any = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=POOLED_WIDTH,
                intermediate_size=4 * POOLED_WIDTH,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=LENGTH,
                hidden_act="gelu",
                **marks,
            )
        )
        self.tokens: Any = T5EncoderModel(
            T5Config(
                d_model=TOKEN_WIDTH,
                d_kv=32,
                num_heads=4,
                d_ff=2 * TOKEN_WIDTH,
                num_layers=2,
                dropout_rate=0.0,
                feed_forward_proj="gated-gelu",
                **marks,
            )
        )

    def forward(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Token numbers ``[N, LENGTH]`` to token vectors ``[N, LENGTH, TOKEN_WIDTH]`` and pooled ones.

        The pooled vectors are ``[N, POOLED_WIDTH]``.
        """
        return self.tokens(input_ids=numbers)[0], self.pooled(input_ids=numbers).pooler_output


def load_or_build_tokenizer(folder: Path, captions: Iterable[str]) -> CLIPTokenizer:
    """The tokenizer kept in ``folder``, built from ``captions`` and kept there the first time."""
    if not (folder / "tokenizer_config.json").exists():
        fresh = folder.with_name(folder.name + ".new")
        build_tokenizer(captions).save_pretrained(fresh)
        fresh.rename(folder)
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer
