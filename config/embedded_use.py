"""Which of the embedded servers this installation needs, and holding them."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from config.embedded import EmbeddedServerError, Hold, ensure_postgres, ensure_redis

__all__ = ["EmbeddedServerError", "EmbeddedServers", "servers_for"]

# They ask nothing of a database, or see to the servers themselves.
_WITHOUT_SERVERS = frozenset(
    {
        *("check", "collectstatic", "compilemessages", "help", "makemessages", "version"),
        *("doctor", "restore", "studio"),
    }
)


class EmbeddedServers:
    """The servers that stand in for an address missing in the environment, held together."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._ensure: dict[str, Callable[[Path], Hold]] = {
            "DATABASE_URL": ensure_postgres,
            "REDIS_URL": ensure_redis,
        }
        self._holds: dict[str, Hold] = {}

    def ensure(self) -> None:
        """Start what is needed and does not run (any more). Raises EmbeddedServerError."""
        for variable, ensure in self._ensure.items():
            if os.environ.get(variable):
                continue
            held = self._holds.get(variable)
            if held is not None and held.is_running:
                continue
            self._holds[variable] = ensure(self._data_dir)
            if held is not None:
                held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for hold in self._holds.values():
            hold.release()


@contextlib.contextmanager
def servers_for(arguments: Sequence[str]) -> Iterator[None]:
    """Hold the embedded servers for a command given by hand, if it needs them."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if command in _WITHOUT_SERVERS or "--help" in arguments or "-h" in arguments:
        yield
        return
    from django.conf import settings  # noqa: PLC0415 -- reads the environment, which may be refused

    with EmbeddedServers(settings.DATA_DIR) as servers:
        servers.ensure()
        yield
