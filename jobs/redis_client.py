"""The connection to Redis, which carries hints only: whoever uses it must do without when it is away."""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


@cache
def hints() -> redis.Redis:
    """Return this process's client. It gives up quickly: a page must not hang because a hint is missing.

    The pool behind it is safe across forks (redis-py makes new connections in a child).
    """
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1.0, socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )
