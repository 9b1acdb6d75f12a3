"""The studio on one machine: everything that `manage.py studio` starts, in order."""

import http.client
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalog.services import seed_catalog
from config import assets, embedded, environment, first_run
from config.demo import DemoLogin, ensure_demo_login
from config.embedded_use import EmbeddedServers
from config.supervisor import Program, Supervisor, manage

# A training worker writes a snapshot when it is asked to stop.
_GRACE_SECONDS = 30.0
_LOOK_AFTER_SERVERS_SECONDS = 2.0


class StudioError(Exception):
    """The studio cannot start; the message says why and what to do."""


class Studio:
    """One run of the studio, from the first check to the last child's end.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        main_job: whether a first start makes the demo account's first model and pictures.
        say: is given every line for the terminal.
    """

    def __init__(self, *, host: str, port: int, main_job: bool, say: Callable[[str], None]) -> None:
        self.host = host
        self.port = port
        self.main_job = main_job
        self._say = say
        self._data_dir: Path = settings.DATA_DIR
        self._logs = self._data_dir / "logs"
        # Workers too: links in their e-mails lead to where this studio is.
        self._environment = {"ATELIER_HOST": host, "ATELIER_PORT": str(port)}
        self._web = self._program(
            "web", [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn"]
        )
        self._supervisor = Supervisor([self._web], say=say)
        self._web_answered = False
        self._servers = EmbeddedServers(self._data_dir)
        self._servers_seen_at = 0.0

    @property
    def address(self) -> str:
        """Where the first page is."""
        return f"http://{self.host}:{self.port}/"

    def run(self) -> None:
        """Start everything, supervise until SIGINT or SIGTERM, stop everything. Raises StudioError."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        embedded.prepare_directories(self._data_dir)
        with _only_one(self._data_dir), self._servers:
            _check_port(self.host, self.port)
            self._say("Starting the database and the queue.")
            self._servers.ensure()
            login = self._prepare()
            if self._supervisor.stopping:
                return
            try:
                self._supervisor.run(every=lambda: self._look_around(login))
            finally:
                self._say("Stopping. Running trainings keep what they have done.")
                self._supervisor.shut_down(grace_seconds=_GRACE_SECONDS)
        self._say("Stopped.")

    def _prepare(self) -> DemoLogin | None:
        """Bring the database and the static files up to date; return the demo login where there is one."""
        if _has_pending_migrations():
            self._say("Bringing the database up to date.")
            call_command("migrate", interactive=False, verbosity=0)
        if assets.collect_when_changed():
            self._say("Collected the static files.")
        seed_catalog()
        login = ensure_demo_login(self._data_dir) if self._offers_demo() else None
        connection.close()  # it would keep a restarted database from us
        return login

    def _offers_demo(self) -> bool:
        """Whether there is a demo account: its password is shown, so only on this machine."""
        return environment.is_loopback(self.host) and not settings.IN_PRODUCTION

    def _look_around(self, login: DemoLogin | None) -> None:
        """Start the workers once the first page is served, and servers again that were killed."""
        now = time.monotonic()
        if not self._web_answered and self._answers():
            self._web_answered = True
            self._say_welcome(login)
            self._supervisor.programs += self._workers()
            if self.main_job and login is not None and not (self._data_dir / first_run.MARKER).exists():
                self._supervisor.programs.append(self._first_run())
        if now - self._servers_seen_at > _LOOK_AFTER_SERVERS_SECONDS:
            self._servers_seen_at = now
            self._servers.ensure()

    def _workers(self) -> list[Program]:
        commands = {
            "dispatch": ["dispatch"],
            "worker-train": ["worker", "train"],
            "worker-generate": ["worker", "generate"],
            "worker-light": ["worker", "light"],
        }
        return [self._program(name, manage(*command)) for name, command in commands.items()]

    def _first_run(self) -> Program:
        return self._program("first-run", manage("first_run", "--site", self.address), once=True)

    def _program(self, name: str, command: list[str], *, once: bool = False) -> Program:
        log = self._logs / f"{name}.log"
        return Program(name=name, command=command, log=log, environment=self._environment, once=once)

    def _answers(self) -> bool:
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=2)) as browser:
            try:
                browser.request("GET", "/healthz", headers={"Host": settings.ALLOWED_HOSTS[0]})
                return browser.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

    def _say_welcome(self, login: DemoLogin | None) -> None:
        self._say("")
        self._say(f"Atelier listens on {self.address}")
        if login is None:
            self._say("Sign up there, or make an administrator with `manage.py createsuperuser`.")
        elif login.password is None:
            self._say(f"Sign in as {login.user.email} with the password you gave it, or sign up.")
        else:
            self._say(f"Sign in as {login.user.email} with the password {login.password}, or sign up.")
        self._say(f"Mail appears here. Logs are in {self._logs}. Ctrl-C stops everything.")
        self._say("")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._supervisor.stop()


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for one studio. Raises StudioError when another one runs in it."""
    try:
        with embedded.exclusive(data_dir, "studio"):
            yield
    except BlockingIOError as error:
        raise StudioError(
            f"A studio runs already with the data in {data_dir}. "
            "Stop it, or set ATELIER_DATA for a second one."
        ) from error


def _check_port(host: str, port: int) -> None:
    """Raise StudioError when something else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StudioError(
                f"Cannot listen on {host}:{port} ({error.strerror}). Choose another port: "
                "`make run PORT=8001`, or `manage.py studio --port 8001`."
            ) from error


def _has_pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
