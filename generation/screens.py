"""What people see of pictures that are being made: small, early and often."""

import io
import time
from collections.abc import Mapping

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image

from engines.images import UInt8Array
from engines.progress import Control
from jobs.context import JobContext
from jobs.exceptions import LeaseLost
from jobs.files import attempt_prefix

# As often as a page asks. A page that has read of a preview gets it: the last few stay for a while.
INTERVAL_SECONDS = 1.0
_KEPT = 3
_LARGEST_SIDE = 256
_GREY = 128


class Screen:
    """Shows how far the pictures of one order are, and learns whether it is to go on.

    A preview is one picture: the order's pictures under way side by side, in their order. It is stored
    below the attempt's prefix; what a killed attempt leaves there is swept with the rest.
    """

    def __init__(self, context: JobContext, *, total: int, has_previews: bool) -> None:
        self._context, self._total, self._has_previews = context, total, has_previews
        self._keys: list[str] = []
        self._number = 0
        self._next = 0.0
        self._done = 0
        self._newest: dict[int, UInt8Array] = {}

    @property
    def is_due(self) -> bool:
        """Whether pictures would be shown now."""
        return time.monotonic() >= self._next

    def begin(self, done: int) -> bool:
        """Say how many pictures are done before the next ones begin. Return whether to go on.

        Raises LeaseLost.
        """
        self._done = done
        self._newest.clear()
        return self._context.report(step=done, total=self._total) is not Control.STOP

    def show(self, step: int, steps: int, count: int, pictures: Mapping[int, UInt8Array]) -> bool:
        """Show `pictures`, by their place among the `count` under way, after a step. Return whether to go on.

        Without pictures others of the batch have their turn, and nothing is shown. Never raises LeaseLost:
        whoever shares the batch goes on, and this order learns it when it writes.
        """
        self._newest |= pictures
        try:
            if pictures and self.is_due:
                self._next = time.monotonic() + INTERVAL_SECONDS
                if self._has_previews:
                    self._store(count)
                self._report(step, steps, count)
            return self._context.control() is not Control.STOP
        except LeaseLost:
            return False

    def kept(self, done: int, model_seconds: float) -> None:
        """Say how many pictures are done by now, and how long the model took for the last ones.

        Raises LeaseLost.
        """
        self._context.report(step=done, total=self._total, values={"model_seconds": model_seconds})

    def clear(self) -> None:
        """Remove the previews."""
        for key in self._keys:
            default_storage.delete(key)
        self._keys.clear()

    def _report(self, step: int, steps: int, count: int) -> None:
        self._context.report(
            step=self._done,
            total=self._total,
            message=_("Step %(step)d of %(steps)d") % {"step": step, "steps": steps},
            values={"share": step / steps, "under_way": count},
            preview=self._keys[-1] if self._keys else "",
        )

    def _store(self, count: int) -> None:
        """Store the newest of all pictures under way, grey where there is none yet."""
        height, width = next(iter(self._newest.values())).shape[:2]
        sheet = np.full((height, width * count, 3), _GREY, np.uint8)
        for place, pixels in self._newest.items():
            sheet[:, place * width : (place + 1) * width] = pixels
        image = Image.fromarray(sheet)
        image.thumbnail((_LARGEST_SIDE * count, _LARGEST_SIDE))
        content = io.BytesIO()
        image.save(content, format="WEBP", quality=70, method=2)
        self._number += 1
        key = f"{attempt_prefix(self._context.job)}preview-{self._number:04d}.webp"
        self._keys.append(default_storage.save(key, ContentFile(content.getvalue())))
        while len(self._keys) > _KEPT:
            default_storage.delete(self._keys.pop(0))
