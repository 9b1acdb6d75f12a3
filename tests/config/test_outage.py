"""PostgreSQL and Redis are killed under a studio while pages are open and jobs run and wait."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.outage import Outage


@pytest.fixture
def outage(data_dir: Path) -> Iterator[Outage]:
    studio = Outage(data_dir)
    yield studio
    studio.stop()


def test_the_studio_outlives_its_servers(outage: Outage) -> None:
    outage.wait_for(lambda: 'data-state="running"' in outage.page("running").text)
    redis_is_killed(outage)
    redis_hangs(outage)
    postgres_is_killed(outage)
    outage.wait_for(lambda: 'data-state="succeeded"' in outage.page("running").text)
    outage.wait_for(lambda: 'data-state="succeeded"' in outage.page("waiting").text)
    outage.assert_all_live()


def redis_is_killed(outage: Outage) -> None:
    outage.kill_redis()

    outage.wait_for(lambda: "when the queue is back" in outage.page("waiting").text)
    away = outage.page("waiting", rev="0")
    assert outage.page("waiting", rev=away.rev).status == 204
    assert outage.page("running").status == 200
    submitted = outage.ask("/datasets/sample/cats/", method="POST", **{"X-CSRFToken": "c" * 32})
    assert submitted.status == 302
    assert "when the queue is back" in outage.ask(submitted.headers["Location"]).text

    outage.start_redis()
    outage.wait_for(lambda: "when the queue is back" not in outage.page("waiting").text)


def redis_hangs(outage: Outage) -> None:
    pid = outage.redis_process()
    os.kill(pid, signal.SIGSTOP)
    try:
        for _second in range(3):
            # It gives up on a Redis that answers nothing, or this would wait for ever.
            assert outage.page("running").status == 200
    finally:
        os.kill(pid, signal.SIGCONT)


def postgres_is_killed(outage: Outage) -> None:
    shown = outage.page("running").rev
    outage.signal_postgres(signal.SIGKILL)

    poll = outage.page("running", rev=shown)
    assert (poll.status, poll.headers["Retry-After"]) == (503, "5")
    assert "data-error" in poll.text
    assert "<html" not in poll.text
    page = outage.page("running")
    assert (page.status, page.headers["Cache-Control"]) == (503, "no-store")
    assert "cannot reach its database" in page.text
    assert outage.ask(re.search(r'"(/static/css/[^"]+)"', page.text)[1]).status == 200
    assert outage.ask("/healthz").status == 200
    assert outage.ask("/readyz").status == 503
    time.sleep(3)  # longer than a lease: the worker has to go on, or the job begins again

    outage.start_postgres()
    outage.wait_for(lambda: outage.page("running", rev=shown).status in (200, 204))
    outage.assert_all_live()
