"""What a watched page costs a training."""

import http.client
import re
import statistics
import time

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from accounts.models import User
from bench.work.figures import ratio
from bench.work.processes import free_port, running, wait_until
from catalog.models import Licence, Source
from config import assets
from jobs.models import Job, State
from jobs.services import stop_job, submit_job
from training.models import DatasetVersion, Experiment

POLLS_PER_SECOND = 30


def measure(owner: User, *, is_quick: bool) -> list[str]:
    """Return the last lines of this section."""
    if is_quick:
        return [polled_training(owner, blocks=4, block_seconds=1.0)]
    return [polled_training(owner, blocks=15)]


def polled_training(owner: User, *, blocks: int, block_seconds: float = 2.0) -> str:
    """Time a one-thread training's steps while its page is polled 30 times a second, and while it is not.

    The polls are a signed-in browser's, against the web server as the studio starts it.
    """
    assets.collect_when_changed()
    log = settings.DATA_DIR / "steps"
    job = submit_job(owner=owner, kind="bench.train", label=str(log))
    page = Page(owner, make_experiment(owner, job))
    environment = {"ATELIER_PORT": str(page.port)}
    web = ["-m", "gunicorn", "--config", "python:config.gunicorn"]
    spans: dict[str, list[tuple[float, float]]] = {"quiet": [], "polled": []}
    with running("manage.py", "worker", "train"), running(*web, environment=environment):
        wait_until(lambda: log.exists() and len(log.read_text()) > 0)
        wait_until(page.answers)
        for _block in range(blocks):
            for name, polls in (("quiet", False), ("polled", True)):
                begin = time.monotonic()
                page.poll(block_seconds) if polls else time.sleep(block_seconds)
                spans[name].append((begin, time.monotonic()))
        stop_job(job=job)
        wait_until(lambda: Job.objects.get(pk=job.pk).state == State.STOPPED)
    moments = [float(line) for line in log.read_text().split()]
    speeds = {name: [speed(moments, *span) for span in found] for name, found in spans.items()}
    print(f"\nA one-thread training, {blocks} blocks of {block_seconds:.0f} s each, in steps a second")
    for name, values in speeds.items():
        print(f"  {name:10} median {statistics.median(values):7.1f}")
    print(
        f"  polls answered: {dict(sorted(page.answered.items()))}, p50 {statistics.median(page.times):.1f} ms"
    )
    return ratio(
        "polled_training", statistics.median(speeds["polled"]), statistics.median(speeds["quiet"]), "steps/s"
    )


class Page:
    """An experiment's page in a signed-in browser that polls it."""

    def __init__(self, owner: User, experiment: Experiment) -> None:
        self.port = free_port()
        self.answered: dict[int, int] = {}
        self.times: list[float] = []
        self._path = f"/experiments/{experiment.pk}/"
        self._rev = "0"
        session = SessionStore()
        session[SESSION_KEY] = str(owner.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = owner.get_session_auth_hash()
        session.save()
        self._headers = {
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}",
            "HX-Request": "true",
        }
        self._browser = http.client.HTTPConnection("127.0.0.1", self.port)

    def answers(self) -> bool:
        """Whether the web server is there."""
        try:
            return self._ask() in (200, 204)
        except OSError:
            self._browser.close()
            return False

    def poll(self, duration: float) -> None:
        """Ask 30 times a second, evenly, as the page would: with the revision that it holds."""
        begin = time.monotonic()
        for number in range(int(duration * POLLS_PER_SECOND)):
            asked_at = time.monotonic()
            status = self._ask()
            self.answered[status] = self.answered.get(status, 0) + 1
            self.times.append((time.monotonic() - asked_at) * 1000)
            time.sleep(max(0.0, begin + (number + 1) / POLLS_PER_SECOND - time.monotonic()))

    def _ask(self) -> int:
        self._browser.request("GET", f"{self._path}?rev={self._rev}", headers=self._headers)
        response = self._browser.getresponse()
        body = response.read().decode()
        if found := re.search(r"\?rev=(\d+)", body):
            self._rev = found[1]
        return response.status


def speed(moments: list[float], begin: float, end: float) -> float:
    """Return how many of the moments lie in a span, a second."""
    return sum(begin <= moment < end for moment in moments) / (end - begin)


def make_experiment(owner: User, job: Job) -> Experiment:
    """Insert an experiment for a job, so that there is a page to poll."""
    licence = Licence.objects.first() or Licence.objects.create(slug="bench", name="Bench")
    source = Source.objects.create(kind=Source.Kind.DATASET, label="Bench", sha256="0" * 64, licence=licence)
    version = DatasetVersion.objects.create(
        name="Bench", sha256="0" * 64, pictures=[], count=0, crop="center", licence=licence, source=source
    )
    experiment: Experiment = Experiment.objects.create(
        owner=owner, name="Bench", dataset_version=version, preset="bench", steps=1000, job=job
    )
    return experiment
