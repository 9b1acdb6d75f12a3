"""How many progress polls one web process answers on one core, and how quickly."""

import contextlib
import http.client
import os
import statistics
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from bench.work.browsers import Answers, OpenPage, load
from bench.work.cores import on_cores
from bench.work.figures import ratio
from bench.work.polling import make_experiment
from bench.work.processes import free_port, running, wait_until
from config import assets
from generation.models import Generation
from jobs.models import Job, Queue, State
from jobs.progress import Report, current_revision, publish
from jobs.revisions import new_revision

# What is asked of it.
RATE = 300
P99_MS = 150.0
# A page polls every two seconds: so many are open at that rate. Of ten polls one finds something new.
PAGES = 2 * RATE
CHANGED_EVERY = 10
_OWNERS = 60
# Far below what the baseline can do, so that its times are those of its answers and not of a queue.
IN_FULL_RATE = 20
_FASTER = 1.25
# A rate is too high when it was too high twice: once may be the machine's doing.
_TRIES = 2
_SEARCH_SECONDS = 2.0


def progress_polls(*, web_cores: set[int], blocks: int, block_seconds: float, searches: bool) -> list[str]:
    """Poll 600 pages of experiments and orders of pictures, half of them running, half waiting.

    The web server is gunicorn as the studio starts it, with one process, alone on one core; the browsers,
    PostgreSQL and Redis share the other. The baseline asks for the whole fragment with every poll.
    """
    assets.collect_when_changed()
    pages = _open_pages()
    sides: dict[str, list[Answers]] = {"ours": [], "in full": []}
    cpu = dict.fromkeys(sides, 0.0)
    with _web_process(web_cores) as (port, web):
        load(port, pages[:RATE], rate=RATE / 3, duration=2.0)  # warms it up
        for _block in range(blocks):
            for name, found in sides.items():
                before = _cpu_seconds(web)
                found.append(_one_block(port, pages, block_seconds, in_full=name == "in full"))
                cpu[name] += _cpu_seconds(web) - before
        highest = _compare_highest_rates(port, pages, block_seconds) if searches else []
    p99 = statistics.median(answers.percentile(99) for answers in sides["ours"])
    each = {name: _each_ms(found, cpu[name]) for name, found in sides.items()}
    print(f"\nProgress polls of {PAGES} pages, one web process on one core")
    for name, found in sides.items():
        _print_side(name, found, cpu[name])
    return [
        ratio("polls_p99_at_300", p99, P99_MS, "ms"),
        ratio("polls_cpu", each["ours"], each["in full"], "ms"),
        *highest,
    ]


def _compare_highest_rates(port: int, pages: list[OpenPage], block_seconds: float) -> list[str]:
    """Find the highest rates that keep the p99; return the line that compares them."""
    highest = _highest_rate(port, pages, begin=RATE, duration=_SEARCH_SECONDS)
    in_full = _highest_rate(port, pages, begin=2 * IN_FULL_RATE, duration=block_seconds, in_full=True)
    return [ratio("polls_highest_rate", highest, in_full, "polls/s")]


def _one_block(port: int, pages: list[OpenPage], duration: float, *, in_full: bool) -> Answers:
    rate = IN_FULL_RATE if in_full else RATE
    return load(port, pages, rate=rate, duration=duration, changed_every=CHANGED_EVERY, in_full=in_full)


def _open_pages() -> list[OpenPage]:
    """Make the owners, their signed-in browsers, and a page for each."""
    owners = [User.objects.create_user(f"poll-{number}@example.org") for number in range(_OWNERS)]
    pages, jobs = [], []
    for number in range(PAGES):
        owner = owners[number % _OWNERS]
        is_running = number % 4 < 2
        job = _make_job(owner, Queue.TRAIN if number % 2 else Queue.GENERATE, is_running=is_running)
        if number % 2:
            path = reverse("training:experiment_detail", args=[make_experiment(owner, job).pk])
        else:
            path = reverse("generation:generation_detail", args=[_make_generation(owner, job).pk])
        pages.append(OpenPage(path, sign_in(owner), change=_changer(job) if is_running else None))
        jobs.append(job)
    for page, job in zip(pages, jobs, strict=True):
        page.rev = str(current_revision(job))  # a page is delivered with what it shows
    return pages


def _make_job(owner: User, queue: str, *, is_running: bool) -> Job:
    now = timezone.now()
    held = {"state": State.RUNNING, "attempt": 1, "lease_until": now + timedelta(days=1), "started_at": now}
    job: Job = Job.objects.create(
        owner=owner,
        kind="bench.train" if queue == Queue.TRAIN else "bench.noop",
        queue=queue,
        total=1000,
        queued_at=now,
        **(held if is_running else {}),
    )
    if is_running:
        _changer(job)()
    return job


def _make_generation(owner: User, job: Job) -> Generation:
    made: Generation = Generation.objects.create(
        owner=owner,
        job=job,
        model_title="Bench",
        settings={"seeds": [1, 2, 3, 4], "truncation_psi": 0.7},
        count=4,
    )
    return made


def _changer(job: Job) -> Callable[[], None]:
    """Return what reports a step of a running job, as its worker does."""
    steps = iter(range(10**9))

    def report() -> None:
        report = Report(step=next(steps), total=1000, eta_seconds=60.0, values={"loss": 1.0})
        publish(job.pk, attempt=job.attempt, rev=new_revision(job.rev), report=report)

    return report


def sign_in(owner: User) -> str:
    """Make a session and return its cookie."""
    session = SessionStore()
    session[SESSION_KEY] = str(owner.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = owner.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


@contextlib.contextmanager
def _web_process(cores: set[int]) -> Iterator[tuple[int, int]]:
    """Run gunicorn with one process on these cores. Yields its port and the id of that process."""
    port = free_port()
    environment = {"ATELIER_PORT": str(port), "WEB_WORKERS": "1"}
    with contextlib.ExitStack() as stack:
        with on_cores(cores):
            command = ("-m", "gunicorn", "--config", "python:config.gunicorn")
            gunicorn = stack.enter_context(running(*command, environment=environment))
        wait_until(lambda: _answers(port))
        (child,) = Path(f"/proc/{gunicorn.pid}/task/{gunicorn.pid}/children").read_text().split()
        yield port, int(child)


def _answers(port: int) -> bool:
    browser = http.client.HTTPConnection("127.0.0.1", port)
    try:
        browser.request("GET", "/healthz")
        return browser.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        browser.close()


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, in its own code and in the kernel's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _highest_rate(
    port: int, pages: list[OpenPage], *, begin: float, duration: float, in_full: bool = False
) -> float:
    """Raise the rate until a hundredth of the polls take too long; return the last at which they did not."""
    rate, highest, misses = begin, 0.0, 0
    while misses < _TRIES:
        answers = load(
            port, pages, rate=rate, duration=duration, changed_every=CHANGED_EVERY, in_full=in_full
        )
        if answers.lost or answers.percentile(99) > P99_MS:
            misses += 1
        else:
            rate, highest, misses = rate * _FASTER, answers.a_second, 0
    return highest


def _each_ms(found: list[Answers], cpu_seconds: float) -> float:
    return 1000 * cpu_seconds / sum(len(answers.all_times) for answers in found)


def _print_side(name: str, found: list[Answers], cpu_seconds: float) -> None:
    statuses: dict[int, int] = {}
    for answers in found:
        for status, times in answers.times.items():
            statuses[status] = statuses.get(status, 0) + len(times)
    print(
        f"  {name:10} {statistics.median(answers.a_second for answers in found):6.1f}/s"
        f"   p50 {statistics.median(answers.percentile(50) for answers in found):7.1f} ms"
        f"   p99 {statistics.median(answers.percentile(99) for answers in found):7.1f} ms"
        f" (worst block {max(answers.percentile(99) for answers in found):.1f})"
        f"   {_each_ms(found, cpu_seconds):5.2f} ms of processor each"
        f"   answers {dict(sorted(statuses.items()))}, lost {sum(answers.lost for answers in found)}"
    )
