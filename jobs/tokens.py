"""Sending wake-up tokens.

The worker that takes one claims the fairest row itself: a token that is lost, doubled or late costs nothing.
"""

import contextlib
import logging

import django_rq
import redis
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from jobs.models import Job
from jobs.redis_client import hints
from jobs.rq import FUNCTION, TokenJob

logger = logging.getLogger(__name__)


def token_queue(name: str, connection: redis.Redis | None = None) -> Queue:
    """Return the RQ queue that holds a queue's tokens.

    It enqueues at once (`commit_mode`): who sends a token inside a transaction does so from `on_commit`.
    """
    return django_rq.get_queue(
        name,
        connection=connection or hints(),
        job_class=TokenJob,
        serializer=JSONSerializer,
        commit_mode="auto",
    )


def send(queue: str) -> None:
    """Wake one worker. Does nothing when Redis is away: the rows wait until the dispatcher sees them."""
    try:
        token_queue(queue).enqueue_call(FUNCTION, args=[queue], timeout=-1, result_ttl=0, failure_ttl=0)
    except RedisError as error:
        logger.warning("No wake-up for %s: %s", queue, error)


def top_up(queue: str, wanted: int) -> int:
    """Send tokens until `wanted` of them are there. Return how many were sent."""
    with contextlib.suppress(RedisError):
        missing = max(0, wanted - token_queue(queue).count)
        for _index in range(missing):
            send(queue)
        return missing
    return 0


def send_if_needed(queue: str) -> None:
    """See to it that there is a token when rows still wait: called after each job."""
    if Job.objects.eligible(queue, timezone.now()).exists():
        top_up(queue, 1)
