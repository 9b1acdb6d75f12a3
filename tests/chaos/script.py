"""What goes wrong: a seeded sequence of faults."""

import random
import signal
from collections import Counter
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connection
from redis.exceptions import RedisError

from jobs import tokens
from jobs.models import Job, Queue
from tests.chaos.processes import WORKERS, Processes


class Script:
    """Does one fault at a time, chosen by its generator; counts what it has done."""

    def __init__(self, processes: Processes, rng: random.Random, *, pause_seconds: float) -> None:
        self.done: Counter[str] = Counter()
        self._processes = processes
        self._rng = rng
        self._pause_seconds = pause_seconds
        self._faults: dict[str, tuple[int, Callable[[], object]]] = {
            "child killed": (6, lambda: processes.kill_child(self._busy_worker())),
            "worker killed": (5, lambda: processes.kill(self._busy_worker(), rng)),
            "worker asked to leave": (2, lambda: processes.kill(self._busy_worker(), rng, signal.SIGTERM)),
            "worker paused past its lease": (3, self._pause),
            "dispatcher killed": (2, lambda: processes.kill("dispatch-1", rng)),
            "web server killed": (2, lambda: processes.kill("web-1", rng)),
            "Redis killed": (1, lambda: processes.kill("redis-1", rng)),
            "Redis emptied": (2, self._flush),
            "tokens dropped": (3, self._drop_tokens),
            "tokens doubled": (3, self._double_tokens),
            "nonsense in Redis": (2, self._put_nonsense),
            "database connections cut": (2, self._cut_connections),
        }

    def strike(self) -> None:
        names = list(self._faults)
        name = self._rng.choices(names, [self._faults[name][0] for name in names])[0]
        try:
            self._faults[name][1]()
        except RedisError:
            return  # it has been killed a moment ago
        self.done[name] += 1

    def _busy_worker(self) -> str:
        """A worker that has a job right now, if there is one: the interesting moment."""
        names = Job.objects.working().values_list("worker", flat=True)
        busy = [role for name in names if (role := self._processes.role_of(name))]
        return self._rng.choice(sorted(busy) or WORKERS)

    def _queue(self) -> str:
        return self._rng.choice(Queue.values)

    def _pause(self) -> None:
        self._processes.pause(self._busy_worker(), self._pause_seconds)

    def _flush(self) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushall()

    def _drop_tokens(self) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.delete(f"rq:queue:{self._queue()}")

    def _double_tokens(self) -> None:
        for _copy in range(5):
            tokens.send(self._queue())

    def _put_nonsense(self) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.hset("rq:job:nonsense", mapping={"data": b"\x80\x04cos\nabort\n.", "status": "queued"})
            client.lpush(f"rq:queue:{self._queue()}", "nonsense", "missing")

    def _cut_connections(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database() AND random() < 0.5"
            )
