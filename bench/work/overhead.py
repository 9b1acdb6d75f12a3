"""What a job costs beside what it does."""

import random
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from django.conf import settings
from rq import Queue as PlainQueue

from accounts.models import User
from bench.work.figures import ratio
from bench.work.plain import load_and_use, nothing, write_model
from bench.work.processes import interleave, running, wait_for_end, wait_until
from jobs.models import Job
from jobs.services import submit_job

# What RQ's workers are spared: their parents have imported what the work needs before they fork.
_PLAIN = "import bench.work.plain; from rq.cli import main; main()"


def measure(owner: User, *, is_quick: bool) -> list[str]:
    """Return the last lines of this section."""
    models = [settings.DATA_DIR / f"model{seed}.safetensors" for seed in range(3)]
    for seed, path in enumerate(models):
        write_model(path, seed=seed)
    with running("manage.py", "worker", "generate"):
        return [
            noop_overhead(owner, rounds=40 if is_quick else 300),
            model_overhead(owner, models[0], rounds=8 if is_quick else 60),
            warm_share(owner, models, count=60 if is_quick else 600),
        ]


def noop_overhead(owner: User, *, rounds: int) -> str:
    """Time a job that does nothing, from its submission until its end can be read, on the resident worker.

    The baseline is the same function on RQ's SimpleWorker, which has no row, cancel, timeout or isolation.
    """
    with plain_worker("rq.SimpleWorker") as plain:
        sides = {
            "ours": lambda: wait_for_end(submit_job(owner=owner, kind="bench.noop", label="")),
            "SimpleWorker": lambda: wait_for_result(plain, nothing),
        }
        times = interleave(sides, rounds=rounds, title="A job that does nothing")
    return ratio(
        "noop_overhead", statistics.median(times["ours"]), statistics.median(times["SimpleWorker"]), "ms"
    )


def model_overhead(owner: User, model: Path, *, rounds: int) -> str:
    """Time a job that does a little with a model of 100 MB, on the resident worker that has it warm.

    The baseline is the same function on RQ's forking worker, which loads the model for every job.
    """
    with plain_worker("rq.Worker") as plain:
        sides = {
            "ours": lambda: wait_for_end(submit_job(owner=owner, kind="bench.model", label=str(model))),
            "Worker": lambda: wait_for_result(plain, load_and_use, str(model)),
        }
        times = interleave(sides, rounds=rounds, title="A job with a model of 100 MB")
    return ratio("model_overhead", statistics.median(times["ours"]), statistics.median(times["Worker"]), "ms")


def warm_share(owner: User, models: list[Path], *, count: int) -> str:
    """Count how many jobs found their model loaded, of those whose model had been loaded before.

    Jobs ask for three models at random. In the full run the worker replaces its child once: that forgets all.
    """
    choose = random.Random(0).choice
    jobs = [submit_job(owner=owner, kind="bench.model", label=str(choose(models))) for _job in range(count)]
    for job in jobs:
        wait_for_end(job)
    loads = Job.objects.filter(kind="bench.model").order_by("started_at").values_list("label", "progress")
    seen: set[str] = set()
    warm = reloaded = 0
    for label, progress in loads:
        warm += label in seen
        reloaded += label in seen and progress["values"]["loads"] > 0
        seen.add(label)
    print(f"\nJobs whose model had been loaded before: {warm}, of which {reloaded} loaded it again")
    return ratio("warm_without_reload", warm - reloaded, warm, "jobs")


@contextmanager
def plain_worker(name: str) -> Iterator[PlainQueue]:
    """Run one of RQ's own workers and yield the queue that it serves."""
    address = {"RQ_REDIS_URL": settings.REDIS_URL}
    with running("-c", _PLAIN, "worker", "-q", "-w", name, "plain", environment=address):
        yield PlainQueue("plain", connection=redis.Redis.from_url(settings.REDIS_URL))


def wait_for_result(queue: PlainQueue, function: Callable[..., object], *arguments: str) -> None:
    """Have an RQ worker do a function and wait until it has."""
    job = queue.enqueue(function, *arguments)
    wait_until(lambda: job.get_status() == "finished")
