"""The only job that RQ may carry here: a wake-up token, "there is work in queue Q".

Redis is not trusted with more than that: whatever else lies in it is neither run nor unpickled.
"""

import logging
import zlib
from collections.abc import Mapping

from redis.exceptions import ResponseError
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.models import Queue

logger = logging.getLogger(__name__)

# What a token names as its function. There is none: nothing that lies in Redis is run.
FUNCTION = "jobs.wake_up"

# The tokens' payloads, byte for byte; nothing else is accepted.
_PAYLOADS = frozenset(
    JSONSerializer.dumps((FUNCTION, None, [queue], {}))  # type: ignore[no-untyped-call]
    for queue in Queue.values
)
_LONGEST_PAYLOAD = max(map(len, _PAYLOADS))
# The fields that are read of the hash that RQ keeps: no callbacks, webhooks, dependents or retries.
_FIELDS = frozenset(
    {b"created_at", b"enqueued_at", b"origin", b"status", b"timeout", b"result_ttl", b"failure_ttl"}
)


class TokenJob(Job):
    """An RQ job that says one thing only: there is work in the queue in which it lies (`jobs.worker`)."""

    def refresh(self) -> None:
        """Read the token from Redis. Raises NoSuchJobError for anything that is not one."""
        try:
            super().refresh()  # type: ignore[no-untyped-call]
        except ResponseError as error:
            raise NoSuchJobError(f"{self.key} is not a token") from error

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Take over a token's fields. Raises NoSuchJobError, which RQ passes over, for anything else."""
        payload = _unpack(raw_data.get(b"data", b""))
        if payload not in _PAYLOADS:
            logger.warning("Ignored what is not a wake-up token in Redis: %s", self.key)
            raise NoSuchJobError(f"{self.key} is not a token")
        known = {name: value for name, value in raw_data.items() if name in _FIELDS}
        try:
            super().restore(known | {b"data": payload})
        except Exception as error:
            raise NoSuchJobError(f"{self.key} is not a token") from error

    def perform(self) -> None:
        """Refuse: a token is taken, not run."""
        raise RuntimeError("Only this project's own workers take tokens.")


def _unpack(data: bytes) -> bytes:
    """Return what a packed payload holds, without ever making more than a token's length of it."""
    try:
        return zlib.decompressobj().decompress(data, _LONGEST_PAYLOAD + 1)
    except zlib.error:
        return data
