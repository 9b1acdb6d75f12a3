"""Jobs of test kinds."""

from collections.abc import Callable, Iterator

import pytest

from accounts.models import User
from jobs.claims import claim_job
from jobs.models import Job
from jobs.redis_client import hints, watch
from jobs.services import submit_job
from tests.jobs import handlers, kinds

kinds.register_all()


@pytest.fixture(autouse=True)
def _forget_ended() -> None:
    handlers.ended.clear()
    handlers.rounds.clear()


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    yield
    hints().flushall()


@pytest.fixture
def submit(owner: User) -> Callable[..., Job]:
    """Return a function that submits a job of a test kind, by default the owner's."""

    def submit(name: str, *, by: User = owner, label: str = "", **options) -> Job:
        return submit_job(owner=by, kind=f"test.{name}", label=label or name, **options)

    return submit


@pytest.fixture
def claim() -> Callable[[], Job]:
    """Return a function that claims the next job of a queue."""

    def claim(queue: str = "train", worker: str = "worker-1") -> Job:
        job = claim_job(queue=queue, worker=worker)
        assert job is not None
        return job

    return claim


@pytest.fixture
def without_redis(settings) -> Iterator[None]:
    """Redis is away."""
    url = settings.REDIS_URL
    settings.REDIS_URL = "unix:///nonexistent/redis.sock"
    hints.cache_clear()
    watch.ask_again()
    yield
    settings.REDIS_URL = url
    hints.cache_clear()
    watch.ask_again()
