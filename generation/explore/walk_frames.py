"""The frames of a walk that is being made, kept in storage: whoever is killed loses few of them.

A part of a walk is one lossless picture, its frames below each other. No torch here.
"""

import io
from contextlib import suppress

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from engines.images import UInt8Array
from jobs.files import attempt_prefix, list_keys
from jobs.models import Job

FOLDER = "frames"


class StoredFrames:
    """What all attempts at a walk have made; a `engines.stylegan.walk.FrameStore`."""

    def __init__(self, job: Job) -> None:
        self._folder = f"{attempt_prefix(job)}{FOLDER}"
        self.keys = [key for key in list_keys(f"jobs/{job.pk}") if f"/{FOLDER}/" in key]

    def load(self, part: int) -> UInt8Array | None:
        """The frames of a part, uint8 `[N, R, R, 3]`; None where they are not there, or were half written."""
        for key in self.keys:
            if key.endswith(f"/{part:04d}.png"):
                # Of an attempt that was killed while it wrote: this one makes them again.
                with suppress(OSError, SyntaxError), default_storage.open(key) as stored:
                    pixels = np.asarray(Image.open(stored).convert("RGB"))
                    return pixels.reshape(-1, pixels.shape[1], *pixels.shape[1:])
        return None

    def store(self, part: int, pictures: UInt8Array) -> None:
        """Keep the frames of a part, uint8 `[N, R, R, 3]`."""
        encoded = io.BytesIO()
        image = Image.fromarray(pictures.reshape(-1, *pictures.shape[2:]))
        image.save(encoded, "PNG", compress_level=1)
        self.keys.append(
            default_storage.save(f"{self._folder}/{part:04d}.png", ContentFile(encoded.getvalue()))
        )

    def forget(self) -> None:
        """Delete them all: the file is made."""
        for key in self.keys:
            default_storage.delete(key)
