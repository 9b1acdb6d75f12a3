"""Models that stay loaded between the jobs of one resident process; the least recently used give way.

Every process has its own: `warm.get(version.sha256, load, nbytes)` in a forked worker simply loads.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.conf import settings

T = TypeVar("T")


class WarmCache:
    """Values by key, up to a number of bytes. The newest stays even when it alone is larger than that."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.loads = 0
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def get(self, key: str, load: Callable[[], T], nbytes: int | Callable[[T], int]) -> T:
        """Return the value of `key`, loaded if it is not here.

        What was least recently used is let go before the load where the size is known, else after it.
        """
        if key in self._values:
            self._values.move_to_end(key)
            return cast("T", self._values[key][0])
        if isinstance(nbytes, int):
            self._make_room(nbytes)
        value = load()
        self.loads += 1
        size = nbytes if isinstance(nbytes, int) else nbytes(value)
        self._make_room(size)
        self._values[key] = (value, size)
        return value

    def drop(self, key: str) -> None:
        """Let go of one value, if it is here."""
        self._values.pop(key, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._values.clear()

    @property
    def nbytes(self) -> int:
        """How much is held."""
        return sum(size for _value, size in self._values.values())

    def _make_room(self, size: int) -> None:
        while self._values and self.nbytes + size > self.limit:
            self._values.popitem(last=False)


def _default_limit() -> int:
    """Return a quarter of this machine's memory, unless the setting JOBS_WARM_BYTES says otherwise."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(getattr(settings, "JOBS_WARM_BYTES", physical // 4))


_models = WarmCache(_default_limit())
get = _models.get
drop = _models.drop
clear = _models.clear
