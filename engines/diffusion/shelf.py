"""LoRAs that are kept inside a loaded base, so that pictures start at once: the least used goes first."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from engines.diffusion.base import Base
from engines.diffusion.lora import load_lora, lora_parameters, remove_lora
from engines.diffusion.lora_files import read_lora
from engines.errors import ModelError


class LoraShelf:
    """Holds LoRA files for one base, up to a number of bytes in memory."""

    def __init__(self, base: Base, *, capacity_bytes: int, relatives: bool = False) -> None:
        self.base, self.capacity_bytes, self.relatives = base, capacity_bytes, relatives
        self._held: OrderedDict[Path, tuple[str, int]] = OrderedDict()
        self._numbers = count()

    @property
    def size_bytes(self) -> int:
        """What the held LoRAs take."""
        return sum(size for _, size in self._held.values())

    def names(self, paths: Sequence[Path]) -> list[str]:
        """The names for `Sample.lora` under which the files are in the base now, read where they were not.

        Files are content-addressed by their hosts: a path is read once. Raises ModelError for files that do
        not fit the base, or that together take more than the shelf holds.
        """
        for path in dict.fromkeys(paths):
            if path in self._held:
                self._held.move_to_end(path)
            else:
                self._read(path)
        self._make_room(wanted=set(paths))
        return [self._held[path][0] for path in paths]

    def clear(self) -> None:
        """Take all LoRAs out of the base."""
        for path in list(self._held):
            self._drop(path)

    def _read(self, path: Path) -> None:
        lora = read_lora(path, self.base, relatives=self.relatives)
        name = f"held{next(self._numbers)}"
        load_lora(self.base, name, lora.tensors, keyword=lora.info.trigger_phrase)
        size = sum(parameter.nbytes for parameter in lora_parameters(self.base, name).values())
        self._held[path] = name, size

    def _make_room(self, *, wanted: set[Path]) -> None:
        for path in [path for path in self._held if path not in wanted]:
            if self.size_bytes <= self.capacity_bytes:
                return
            self._drop(path)
        if self.size_bytes > self.capacity_bytes:
            needed, room = self.size_bytes >> 20, self.capacity_bytes >> 20
            self.clear()
            raise ModelError(
                f"These LoRAs take {needed} MiB together; there is room for {room}. Use fewer at once."
            )

    def _drop(self, path: Path) -> None:
        name, _ = self._held.pop(path)
        remove_lora(self.base, name)
