"""The process that runs one embedded server for as long as somebody holds it (see `config.embedded`).

`python -m config.keeper postgres|redis DATA_DIR [--throwaway]`: says "ready" on standard output once the
server answers, or why not on standard error. It imports nothing but the standard library: it has to start
in a few milliseconds and stays in memory.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from config import embedded
from config.processes import die_with_parent

_START_SECONDS = 60
_STOP_SECONDS = 20
_LOG_LINES = 8

# For the tests, whose cluster is thrown away: nothing has to survive a power cut.
_THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
}


class StartError(Exception):
    """The server did not start; the message is for the user."""


class PostgresServer:
    """A PostgreSQL cluster in `postgres` of the data directory."""

    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back, the shutdown is clean

    def __init__(self, data_dir: Path, *, throwaway: bool) -> None:
        self._throwaway = throwaway
        self._account = embedded.server_account()
        self._home = data_dir / "postgres"
        self._cluster = self._home / "data"
        self._socket_dir = embedded.postgres_socket_dir(data_dir)
        self.log = self._home / "server.log"
        self.socket = embedded.postgres_socket(data_dir)

    def prepare(self) -> None:
        """Make the directories and, the first time, the cluster with its database."""
        for directory in (self._home, self._socket_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._give_to_server(directory)
        if self._account is not None:
            _open_the_way_to(self._home)
            _open_the_way_to(embedded.postgres_program("postgres"))
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        self._check_version()
        self._forget_dead_server()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server as a child of this process."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "unix_socket_permissions": "0700",
            **(_THROWAWAY_SETTINGS if self._throwaway else {}),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            return self._popen(["postgres", "-D", str(self._cluster), *options], log.fileno())

    def after_start(self) -> None:
        """Make the studio's database, unless it is there."""
        marker = self._home / "database-made"
        if marker.exists():
            return
        address = f"host={self._socket_dir} user={embedded.DATABASE_USER} dbname=postgres"
        sql = f"CREATE DATABASE {embedded.DATABASE}"
        done = subprocess.run(  # noqa: S603
            [embedded.postgres_program("psql"), "--no-psqlrc", "--quiet", "--command", sql, address],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0 and b"already exists" not in done.stderr:
            raise StartError(
                f"The database could not be made: {done.stderr.decode(errors='replace').strip()}"
            )
        marker.touch(mode=0o600)

    def _popen(self, command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        program, *arguments = command
        account = self._account
        return subprocess.Popen(  # noqa: S603
            [embedded.postgres_program(program), *arguments],
            cwd=self._home,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509 -- the keeper has one thread
        )

    def _make_cluster(self) -> None:
        # Made beside its place and moved there whole: a killed first start leaves nothing half made.
        new = self._home / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        command = ["initdb", "--auth=trust", "--encoding=UTF8", "--username", embedded.DATABASE_USER]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "-D", str(new)]
        if self._throwaway:
            command.append("--no-sync")
        with self.log.open("wb") as log:
            code = self._popen(command, log.fileno()).wait()
        if code != 0:
            raise StartError(f"initdb ended with code {code}. {tail(self.log)}")
        new.rename(self._cluster)

    def _check_version(self) -> None:
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        if made_by != "18":
            raise StartError(
                f"The data directory was made by PostgreSQL {made_by}, this is PostgreSQL 18. Run "
                "`make backup` with the release that made it, then `make restore FROM=...` with this one."
            )

    def _forget_dead_server(self) -> None:
        """Remove the lock file of a server that was killed, when another program now has its number."""
        pid_file = self._cluster / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int(pid_file.read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline")
            if not command.exists() or os.fsencode(self._cluster) not in command.read_bytes():
                pid_file.unlink()

    def _give_to_server(self, directory: Path) -> None:
        if self._account is not None:
            os.chown(directory, self._account.pw_uid, self._account.pw_gid)


class RedisServer:
    """A Redis whose data lie in `redis` of the data directory."""

    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir / "redis"
        self.log = self._home / "server.log"
        self.socket = embedded.redis_socket(data_dir)

    def prepare(self) -> None:
        """Make the directory and remove a dead server's socket."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server as a child of this process."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "logfile": str(self.log),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return subprocess.Popen(  # noqa: S603
            [embedded.redis_program(), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            umask=0o077,
            preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509 -- the keeper has one thread
        )

    def after_start(self) -> None:
        """Redis needs nothing more."""


def tail(log: Path) -> str:
    """Return the last lines of a server's log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_LOG_LINES:])


def _open_the_way_to(path: Path) -> None:
    """Let the server's own user pass through the directories above `path` (not list them)."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            directory.chmod(mode | 0o001)


def run(server: PostgresServer | RedisServer, use_lock: Path) -> None:
    """Start the server, say "ready", wait until nobody holds it, stop it.

    Raises StartError. Leaves with code 1 when the server ends by itself.
    """
    server.prepare()
    child = server.start()
    try:
        _wait_until_ready(server, child)
        server.after_start()
        print("ready", flush=True)

        def leave_when_ended(_signal_number: int, _frame: FrameType | None) -> None:
            if child.poll() is not None:  # and was not merely paused
                sys.exit(1)

        signal.signal(signal.SIGCHLD, leave_when_ended)
        leave_when_ended(signal.SIGCHLD, None)
        with use_lock.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # granted when the last holder is gone
            # Stopped under the lock: a newcomer waits until the server is down, then starts a new one.
            _stop(server, child)
    finally:
        _stop(server, child)


def _wait_until_ready(server: PostgresServer | RedisServer, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not embedded.listens(server.socket) or not _accepts(server):
        if child.poll() is not None:
            raise StartError(f"It ended with code {child.returncode}. {tail(server.log)}")
        if time.monotonic() > deadline:
            raise StartError(f"It did not answer within {_START_SECONDS} seconds. {tail(server.log)}")
        time.sleep(0.02)


def _accepts(server: PostgresServer | RedisServer) -> bool:
    """Whether a server that listens also serves: both do so a moment later, after recovery."""
    if isinstance(server, PostgresServer):
        command = [str(embedded.postgres_program("pg_isready")), "-q", "-h", str(server.socket.parent)]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(server.socket))
        probe.sendall(b"PING\r\n")
        return probe.recv(16).startswith(b"+PONG")


def _stop(server: PostgresServer | RedisServer, child: subprocess.Popen[bytes]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(server.stop_signal)
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _leave(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep one server; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m config.keeper", description=__doc__)
    parser.add_argument("server", choices=["postgres", "redis"])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--throwaway", action="store_true")
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    run_dir = embedded.runtime_dir(options.data_dir)
    with (run_dir / f"{options.server}.keeper.lock").open("ab") as own_lock:
        fcntl.flock(own_lock, fcntl.LOCK_EX)
        try:
            if options.server == "postgres":
                server: PostgresServer | RedisServer = PostgresServer(
                    options.data_dir, throwaway=options.throwaway
                )
            else:
                server = RedisServer(options.data_dir)
            run(server, run_dir / f"{options.server}.use.lock")
        except (StartError, embedded.EmbeddedServerError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
