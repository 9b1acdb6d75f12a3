"""How much of a prompt a base reads: its own tokenizer, without torch.

A base cuts a prompt off after so many tokens and says nothing; people should know before they wait.
"""

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from engines.errors import ModelError

# The tokenizer that reads most of a prompt, by kind of base, and the most that its family gives it.
_READERS = MappingProxyType(
    {
        "starter": ("tokenizer_2", 512),
        "flux": ("tokenizer_2", 512),
        "sd3": ("tokenizer_3", 256),
        "sdxl": ("tokenizer", 77),
        "sd15": ("tokenizer", 77),
    }
)
_CLIP_WORDS = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
_CLIP_SPECIAL = 2  # the tokens that begin and end a text

# Gives the content of a file by its path inside the base's folder, None where there is none.
ReadFile = Callable[[str], bytes | None]


class Reader:
    """Tells what of a prompt is read. `limit` is a number of tokens, without those that begin and end it."""

    def __init__(self, tokenizer: Tokenizer, limit: int) -> None:
        self._tokenizer, self.limit = tokenizer, limit

    @classmethod
    def of_base(cls, kind: str, read_file: ReadFile) -> "Reader":
        """Make the reader of a base of this kind. Raises ModelError where its tokenizer cannot be read."""
        folder, longest = _READERS.get(kind, ("tokenizer", 77))
        if read_file(f"{folder}/tokenizer_config.json") is None:
            folder = "tokenizer"  # some bases come without their largest text encoder
        try:
            config = json.loads(read_file(f"{folder}/tokenizer_config.json") or b"{}")
            tokenizer, special = _load(folder, read_file)
            limit = min(longest, int(config.get("model_max_length") or longest))
        except Exception as error:  # the library raises bare Exceptions
            raise ModelError(
                f"The tokenizer in {folder} cannot be read. Get the base again whole."
            ) from error
        return cls(tokenizer, limit - special)

    def count(self, prompt: str) -> int:
        """How many tokens the prompt is."""
        return len(self._tokenizer.encode(prompt, add_special_tokens=False).ids)

    def unread(self, prompt: str) -> str:
        """The end of the prompt that the base does not read whole words of; "" where it reads all."""
        offsets = self._tokenizer.encode(prompt, add_special_tokens=False).offsets
        if len(offsets) <= self.limit:
            return ""
        start = offsets[self.limit][0]
        while start and not prompt[start - 1].isspace():
            start -= 1
        return prompt[start:]


def _load(folder: str, read_file: ReadFile) -> tuple[Tokenizer, int]:
    """The tokenizer, and how many special tokens it puts around a text."""
    whole = read_file(f"{folder}/tokenizer.json")
    if whole is not None:
        tokenizer = Tokenizer.from_str(whole.decode())
        tokenizer.no_truncation()
        return tokenizer, tokenizer.num_special_tokens_to_add(is_pair=False)
    return _clip(folder, read_file), _CLIP_SPECIAL


def _clip(folder: str, read_file: ReadFile) -> Tokenizer:
    """CLIP's tokenizer from its two older files (byte-level BPE; Radford et al. 2021, arXiv 2103.00020)."""
    vocabulary: dict[str, int] = json.loads(read_file(f"{folder}/vocab.json") or b"")
    lines = (read_file(f"{folder}/merges.txt") or b"").decode().splitlines()
    merges = [_pair(line) for line in lines if line and not line.startswith("#version")]
    model: Any = models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _pair(line: str) -> tuple[str, str]:
    left, right = line.split()
    return left, right
