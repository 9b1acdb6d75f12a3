"""The connection to Redis, which carries hints only: whoever uses it must do without when it is away."""

import time
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

_ASKED_EVERY_SECONDS = 2.0


@cache
def hints() -> redis.Redis:
    """Return this process's client. It gives up quickly: a page must not hang because a hint is missing.

    The pool behind it is safe across forks (redis-py makes new connections in a child).
    """
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1.0, socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )


class Watch:
    """Knows whether Redis answers, and asks it seldom: a page must not wait for one that hangs."""

    def __init__(self) -> None:
        self._answers = True
        self._ask_again_at = 0.0

    def is_away(self) -> bool:
        """Whether Redis did not answer when it was last asked, at most two seconds ago."""
        now = time.monotonic()
        if now >= self._ask_again_at:
            self._ask_again_at = now + _ASKED_EVERY_SECONDS  # first, so that other threads do not wait too
            try:
                self._answers = bool(hints().ping())
            except RedisError:
                self._answers = False
        return not self._answers

    def ask_again(self) -> None:
        """Forget when it was asked."""
        self._ask_again_at = 0.0


watch = Watch()
