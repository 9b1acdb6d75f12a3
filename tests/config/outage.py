"""The studio's processes on servers of their own, which a test can kill, and somebody who looks at pages."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from config import embedded
from tests.config.test_studio import ROOT, free_port

PATIENCE = 60.0
FRAGMENT = {"HX-Request": "true"}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def rev(self) -> str:
        return re.search(r"\?rev=(\d+)", self.text)[1]


class Outage:
    """The studio's processes on servers that this test can kill, and a browser."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen] = {}
        self.holds: dict[str, embedded.Hold] = {}
        self.environment = {
            "PATH": os.environ["PATH"],
            "ATELIER_TEST_DATA": str(data_dir),
            "DATABASE_URL": embedded.postgres_url(data_dir),
            "REDIS_URL": embedded.redis_url(data_dir),
            "DJANGO_SETTINGS_MODULE": "tests.jobs.settings",
            "ATELIER_PORT": str(self.port),
            "WEB_WORKERS": "1",
            "CREDITS": "off",
        }
        self.start_postgres()
        self.start_redis()
        self.run("manage.py", "migrate")
        self.run("manage.py", "createcachetable")
        make = "from tests.config.outage_world import main; main()"
        self.made = json.loads(self.run("manage.py", "shell", "--no-imports", "-c", make))
        self.start("web", "-m", "gunicorn", "--config", "python:config.gunicorn")
        self.start("dispatch", "manage.py", "dispatch")
        self.start("train", "manage.py", "worker", "train")
        self.start("light", "manage.py", "worker", "light")

    def start_postgres(self) -> None:
        self.hold("postgres", embedded.ensure_postgres(self.data_dir, throwaway=True))

    def start_redis(self) -> None:
        self.hold("redis", embedded.ensure_redis(self.data_dir))

    def hold(self, name: str, hold: embedded.Hold) -> None:
        if name in self.holds:
            self.holds[name].release()
        self.holds[name] = hold

    def signal_postgres(self, number: int) -> None:
        pid_file = self.data_dir / "postgres" / "data" / "postmaster.pid"
        os.kill(int(pid_file.read_text().splitlines()[0]), number)

    def kill_redis(self) -> None:
        os.kill(self.redis_process(), signal.SIGKILL)

    def redis_process(self) -> int:
        with redis.Redis.from_url(self.environment["REDIS_URL"]) as client:
            return client.info()["process_id"]

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str, *arguments: str) -> None:
        with (self.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for name, process in self.processes.items():
            process.wait(30)
            print(f"--- {name}\n{(self.data_dir / f'{name}.log').read_text()[-4000:]}")
        for hold in self.holds.values():
            hold.release()

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        browser = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            cookies = f"sessionid={self.made['cookie']}; csrftoken={'c' * 32}"
            browser.request(method, path, headers={"Cookie": cookies, **headers})
            response = browser.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            browser.close()

    def page(self, which: str, **query: str) -> Answer:
        rev = f"?rev={query['rev']}" if query else ""
        return self.ask(f"/experiments/{self.made[which]}/{rev}", **(FRAGMENT if query else {}))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if condition():
                    return
            time.sleep(0.1)
        pytest.fail("it did not come to that")

    def assert_all_live(self) -> None:
        assert {name: process.poll() for name, process in self.processes.items()} == dict.fromkeys(
            self.processes
        )
