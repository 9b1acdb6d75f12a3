"""An operator's own content checker: an image classifier from a local folder looks at finished pictures.

The studio ships none and claims nothing: which labels there are, and how well they are told, is the
classifier's affair. The folder is one of transformers (config.json, preprocessor_config.json and
safetensors) with an architecture for image classification; nothing in it is executed, nothing downloaded.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageClassification

from engines.errors import ConfigError, ModelError
from engines.images import UInt8Array

AT_ONCE = 8
_NORMAL = (0.5, 0.5, 0.5)  # mean and deviation where the folder tells none
_WANTED = "Give a folder of a transformers image classifier with safetensors."


@dataclass(frozen=True)
class Checker:
    """A classifier, what it is shown, and the labels that it refuses from a probability on."""

    model: Any
    labels: tuple[str, ...]
    refused: frozenset[str]
    threshold: float
    side: tuple[int, int]  # width, height
    mean: torch.Tensor
    deviation: torch.Tensor

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        refused: Sequence[str],
        threshold: float = 0.5,
        device: torch.device | str = "cpu",
    ) -> "Checker":
        """Load a folder. Raises ModelError where it holds no classifier, ConfigError for unknown labels."""
        try:
            model = AutoModelForImageClassification.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            shown = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
            mean, deviation = (
                torch.tensor(shown.get(name) or _NORMAL, device=device).view(3, 1, 1)
                for name in ("image_mean", "image_std")
            )
            side = _side(shown.get("crop_size") or shown["size"])
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{folder} holds no content checker: {error}. {_WANTED}") from error
        labels = tuple(str(model.config.id2label[number]) for number in sorted(model.config.id2label))
        unknown = sorted(set(refused) - set(labels))
        if unknown or not refused:
            told = f"knows no {', '.join(unknown)}" if unknown else "was told no label to refuse"
            raise ConfigError(f"The content checker in {folder} {told}. Its labels are: {', '.join(labels)}.")
        model.requires_grad_(requires_grad=False).eval().to(device)
        return cls(model, labels, frozenset(refused), threshold, side, mean, deviation)

    @torch.no_grad()
    def flagged(self, pictures: Sequence[UInt8Array]) -> list[str | None]:
        """For each picture uint8 `[H, W, 3]` the likeliest refused label, None where none is likely."""
        found: list[str | None] = []
        for start in range(0, len(pictures), AT_ONCE):
            pixels = torch.stack([self._seen(picture) for picture in pictures[start : start + AT_ONCE]])
            chances = self.model(pixel_values=pixels).logits.float().softmax(-1)
            found += [self._label(row) for row in chances.tolist()]
        return found

    def _seen(self, picture: UInt8Array) -> torch.Tensor:
        """float32 `[3, H, W]` as the classifier wants it; squeezed, not cropped: nothing may stay unseen."""
        resized = Image.fromarray(picture).convert("RGB").resize(self.side, Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.asarray(resized, np.float32)).to(self.mean.device)
        scaled = pixels.permute(2, 0, 1) / 255
        return (scaled - self.mean) / self.deviation

    def _label(self, chances: Sequence[float]) -> str | None:
        refused = [
            (chance, label)
            for chance, label in zip(chances, self.labels, strict=True)
            if label in self.refused and chance >= self.threshold
        ]
        return max(refused)[1] if refused else None


def _side(size: Any) -> tuple[int, int]:
    """Width and height in pixels of `size` as preprocessors write it: a number, or a dictionary."""
    if isinstance(size, int):
        return size, size
    edge = size.get("shortest_edge")
    return (int(edge), int(edge)) if edge else (int(size["width"]), int(size["height"]))
