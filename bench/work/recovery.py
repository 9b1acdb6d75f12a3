"""How long it takes until something that broke, or was to stop, is as it should be."""

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from accounts.models import User
from bench.work.figures import ratio
from bench.work.processes import running, wait_until
from catalog.services.seed import seed_licences
from jobs import conf, tokens
from jobs.models import Job, Queue, State
from jobs.progress import read_progress
from jobs.redis_client import hints
from jobs.services import stop_job, submit_job
from training.models import Experiment, Snapshot
from training.services import create_sample_dataset, start_experiment

_TRAIN_WORKER = ("manage.py", "worker", "train")
# A training that takes long enough to be stopped several times.
_STEPS = 5_000


@dataclass(frozen=True)
class Took:
    """What was timed, in seconds, and the time that it may take."""

    name: str
    seconds: float
    limit: float


def measure(owner: User, *, is_quick: bool) -> list[str]:
    """Break things under the studio's own processes; print what each took beside its limit.

    `is_quick` leaves out real trainings and what waits for a lease, or for a training that does not stop.
    """
    with running("manage.py", "dispatch"):
        took = [*_stops(owner, is_quick=is_quick), _deploy(owner)]
        if not is_quick:
            took += [_dead_worker(owner), *_real_training(owner)]
    print("\nRecovery, in seconds")
    for one in took:
        print(f"  {one.name:26} {one.seconds:6.2f}   limit {one.limit:5.2f}")
    return [ratio(f"recovery_{one.name}", one.seconds, one.limit, "s") for one in took]


def _stops(owner: User, *, is_quick: bool) -> Iterator[Took]:
    """An emptied Redis, stops that are heeded and stops that are not."""
    with running(*_TRAIN_WORKER), running("manage.py", "worker", "generate"):
        first = _submit(owner, "bench.train")
        _wait_for_steps(first, 1)
        second = _submit(owner, "bench.train")
        flushed_at = time.monotonic()
        hints().flushall()
        wait_until(lambda: tokens.token_queue(Queue.TRAIN).count > 0)
        yield Took("empty_redis_has_tokens", time.monotonic() - flushed_at, 20.0)
        yield Took("soft_cancel", _seconds_to_stop(first), 1.0)
        _wait_for(second, State.RUNNING)
        yield Took("empty_redis_job_runs", time.monotonic() - flushed_at, 20.0)
        stop_job(job=second)
        _wait_for(second, State.STOPPED)
        deaf = _wait_for(_submit(owner, "bench.deaf"), State.RUNNING)
        yield Took("hard_cancel_generate", _seconds_to_stop(deaf), 4.0)
        if not is_quick:
            deaf = _wait_for(_submit(owner, "bench.deaf_training"), State.RUNNING)
            yield Took("hard_cancel_train", _seconds_to_stop(deaf), 35.0)


def _dead_worker(owner: User) -> Took:
    """SIGKILL to a worker and its child while another worker is idle; until the job runs again."""
    with running(*_TRAIN_WORKER) as worker:
        job = _submit(owner, "bench.train")
        wait_until(lambda: Job.objects.get(pk=job.pk).step > 0)
        with running(*_TRAIN_WORKER):
            worker.kill()  # its child dies with it: the kernel sees to that
            killed_at = time.monotonic()
            wait_until(lambda: Job.objects.filter(pk=job.pk, state=State.RUNNING, attempt=2).exists())
            took = time.monotonic() - killed_at
            _seconds_to_stop(job)
    return Took("dead_worker_runs_again", took, 45.0)


def _deploy(owner: User) -> Took:
    """SIGTERM, twice, while a job runs; until the worker is gone and the job waits."""
    with running(*_TRAIN_WORKER) as worker:
        job = _submit(owner, "bench.train")
        _wait_for_steps(job, 1)
        seconds = _seconds_to_leave(worker)
    _wait_for(job, State.QUEUED)
    stop_job(job=job)
    return Took("deploy_leaves", seconds, conf.seconds("JOBS_GRACE_SECONDS"))


def _real_training(owner: User) -> Iterator[Took]:
    """A training at 64 pixels: a deploy takes its snapshot, and it goes on; a stop takes one too."""
    experiment = _start_training(owner)
    job = experiment.job
    with running(*_TRAIN_WORKER) as worker:
        _wait_for_steps(job, 2)
        seconds = _seconds_to_leave(worker)
        _wait_for(job, State.QUEUED)
        assert Snapshot.objects.filter(experiment=experiment, step=Job.objects.get(pk=job.pk).step).exists()
        yield Took("deploy_leaves_training", seconds, conf.seconds("JOBS_GRACE_SECONDS"))
    with running(*_TRAIN_WORKER):
        begun_at = time.monotonic()
        at, before = _wait_for_steps(job, 1), time.monotonic()
        print(f"\nThe training went on {before - begun_at:.1f} s after the start of the next worker")
        later = _wait_for_steps(job, 2)
        one_step = (time.monotonic() - before) / (later - at)
        yield Took("soft_cancel_training", _seconds_to_stop(job), 1.0 + one_step)


def _start_training(owner: User) -> Experiment:
    seed_licences()  # that of the drawn pictures
    dataset = create_sample_dataset(owner=owner, family="cats", count=60)
    with running("manage.py", "worker", "light"):
        wait_until(lambda: not Job.objects.filter(queue=Queue.LIGHT).active().exists())
    dataset.refresh_from_db()
    return start_experiment(owner=owner, dataset=dataset, starting_point=None, steps=_STEPS)


def _submit(owner: User, kind: str) -> Job:
    return submit_job(owner=owner, kind=kind, label=str(settings.DATA_DIR / "steps"))


def _wait_for(job: Job, state: str) -> Job:
    wait_until(lambda: Job.objects.filter(pk=job.pk, state=state).exists())
    job.refresh_from_db()
    return job


def _wait_for_steps(job: Job, count: int) -> int:
    """Wait until a job runs and has made so many more steps; return how many it has made in all."""
    _wait_for(job, State.RUNNING)

    def step() -> int:
        return read_progress(Job.objects.get(pk=job.pk)).step

    begin = step()
    wait_until(lambda: step() >= begin + count)
    return step()


def _seconds_to_stop(job: Job) -> float:
    """Ask a running job to stop; return how long it takes until its row says that it has."""
    stop_job(job=job)
    asked_at = time.monotonic()
    _wait_for(job, State.STOPPED)
    return time.monotonic() - asked_at


def _seconds_to_leave(worker: subprocess.Popen[bytes]) -> float:
    """Send SIGTERM and, a moment later, another one; return how long the worker takes to be gone."""
    worker.terminate()
    asked_at = time.monotonic()
    time.sleep(0.1)
    worker.send_signal(signal.SIGTERM)
    if worker.wait() != 0:
        raise ChildProcessError(f"The worker left with {worker.returncode}. See {settings.DATA_DIR}")
    return time.monotonic() - asked_at
