"""Which commands need the embedded servers, and holding them meanwhile."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from config.embedded import EmbeddedServerError, ensure_postgres, ensure_redis

__all__ = ["EmbeddedServerError", "hold_servers", "servers_for"]

# They ask nothing of a database, or (studio, doctor, restore) see to the servers themselves.
_WITHOUT_SERVERS = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "doctor",
        "help",
        "makemessages",
        "restore",
        "studio",
        "version",
    }
)


@contextlib.contextmanager
def hold_servers(data_dir: Path) -> Iterator[None]:
    """Hold the embedded servers that stand in for an address missing in the environment.

    Raises EmbeddedServerError.
    """
    with contextlib.ExitStack() as held:
        if not os.environ.get("DATABASE_URL"):
            held.enter_context(ensure_postgres(data_dir))
        if not os.environ.get("REDIS_URL"):
            held.enter_context(ensure_redis(data_dir))
        yield


@contextlib.contextmanager
def servers_for(arguments: Sequence[str]) -> Iterator[None]:
    """Hold the embedded servers for a command given by hand, if it needs them."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if command in _WITHOUT_SERVERS or "--help" in arguments or "-h" in arguments:
        yield
        return
    from django.conf import settings  # noqa: PLC0415 -- reads the environment, which may be refused

    with hold_servers(settings.DATA_DIR):
        yield
