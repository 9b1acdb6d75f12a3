"""The embedded servers start, are shared, and stop with whoever held them last."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config import embedded

HOLD = """
import sys
from pathlib import Path
from config import embedded
hold = embedded.ensure_redis(Path(sys.argv[1]))
print("holding", flush=True)
sys.stdin.read()
"""


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within ten seconds")


def _redis_answers(data_dir: Path) -> bool:
    try:
        with redis.Redis.from_url(embedded.redis_url(data_dir)) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def holder(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a Redis in `data_dir`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, data_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process
        process.kill()


def test_postgres_keeps_its_data_between_two_starts(data_dir):
    with embedded.ensure_postgres(data_dir, throwaway=True) as hold:
        assert hold.started_it
        with psycopg.connect(embedded.postgres_url(data_dir)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'Žluťoučký' AS word")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(embedded.postgres_url(data_dir))
    with (
        embedded.ensure_postgres(data_dir, throwaway=True),
        psycopg.connect(embedded.postgres_url(data_dir)) as connection,
    ):
        assert connection.execute("SELECT word FROM kept").fetchone() == ("Žluťoučký",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_redis_keeps_its_data_and_listens_on_its_socket_alone(data_dir):
    with embedded.ensure_redis(data_dir), redis.Redis.from_url(embedded.redis_url(data_dir)) as client:
        client.set("kept", "yes")
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with embedded.ensure_redis(data_dir), redis.Redis.from_url(embedded.redis_url(data_dir)) as client:
        assert client.get("kept") == b"yes"


def test_a_long_data_directory_gets_short_sockets(data_dir):
    deep = data_dir / ("d" * 100) / ("e" * 100)
    with embedded.ensure_redis(deep):
        assert _redis_answers(deep)
    assert len(str(embedded.postgres_socket_dir(deep))) < 60
    assert embedded.runtime_dir(deep) != embedded.runtime_dir(data_dir / ("d" * 100) / ("f" * 100))
    shutil.rmtree(embedded.runtime_dir(deep))


def test_directories_are_closed_to_others(data_dir):
    inner = data_dir / "data"
    with embedded.ensure_redis(inner):
        assert inner.stat().st_mode & 0o066 == 0
        assert embedded.redis_socket(inner).stat().st_mode & 0o077 == 0


def test_a_server_is_shared_and_outlives_whoever_started_it(data_dir, holder):
    second = embedded.ensure_redis(data_dir)
    assert not second.started_it
    holder.kill()
    holder.wait()
    assert _redis_answers(data_dir)
    second.release()
    _until(lambda: not _redis_answers(data_dir))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_holder_leaves_no_server(data_dir, holder, number):
    os.kill(holder.pid, number)
    _until(lambda: not _redis_answers(data_dir))


def test_a_killed_server_is_started_again(data_dir):
    with embedded.ensure_redis(data_dir) as first:
        _kill_redis(data_dir)
        with embedded.ensure_redis(data_dir) as second:
            assert second.started_it
            assert _redis_answers(data_dir)
            first.release()
            assert _redis_answers(data_dir)


def _kill_redis(data_dir):
    with redis.Redis.from_url(embedded.redis_url(data_dir)) as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not _redis_answers(data_dir))


def test_a_forked_child_does_not_let_go_for_its_parent(data_dir):
    hold = embedded.ensure_redis(data_dir)
    child = os.fork()
    if child == 0:
        hold.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert _redis_answers(data_dir)
    hold.release()
    assert not _redis_answers(data_dir)


def test_a_server_that_cannot_start_says_why(data_dir):
    (data_dir / "redis").mkdir()
    (data_dir / "redis" / "appendonly.aof").write_text("this is no log of commands")
    with pytest.raises(embedded.EmbeddedServerError, match="make doctor"):
        embedded.ensure_redis(data_dir)


def test_a_runtime_directory_of_somebody_else_is_refused(data_dir, monkeypatch):
    link = data_dir / "link"
    link.symlink_to(data_dir)
    monkeypatch.setattr(embedded, "runtime_dir", lambda data_dir: link)
    with pytest.raises(embedded.EmbeddedServerError, match="belongs to somebody else"):
        embedded.prepare_directories(data_dir)


def test_a_stale_lock_file_of_a_dead_postgres_does_not_stop_a_start(data_dir):
    with embedded.ensure_postgres(data_dir, throwaway=True):
        pass
    # A number that is certainly taken by another program: this one's.
    (data_dir / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with embedded.ensure_postgres(data_dir, throwaway=True):
        pass
