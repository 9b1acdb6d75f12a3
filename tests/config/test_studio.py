"""The studio as somebody starts it: a real process with real servers, on a port of its own."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from config import embedded
from config.studio import Studio

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(data_dir: Path, port: int) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "ATELIER_DATA": str(data_dir), "PYTHONWARNINGS": "error"}
    return subprocess.Popen(
        [sys.executable, "manage.py", "studio", "--port", str(port), "--no-main-job"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    pytest.fail(f"it ended without saying {words!r}:\n{''.join(lines)}")


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Everything that has the data directory in its environment or on its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(str(data_dir) in word for word in words):
            found.append(process)
    return found


def wait_until_gone(data_dir: Path) -> None:
    for _ in range(600):
        if not processes_of(data_dir):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {[process.cmdline() for process in processes_of(data_dir)]}")


@pytest.fixture(autouse=True)
def _nothing_stays(data_dir):
    yield
    for process in processes_of(data_dir):
        process.kill()


def test_start_serve_refuse_a_second_one_survive_a_kill_and_stop(data_dir):
    port = free_port()
    studio = start(data_dir, port)
    welcome = read_until(studio, "Ctrl-C")
    assert f"http://127.0.0.1:{port}/" in welcome
    assert re.search(r"demo@atelier\.local with the password \S+", welcome)
    assert get(port, "/") == 200
    assert get(port, "/readyz") == 200

    second = start(data_dir, free_port())
    assert "A studio runs already" in second.communicate()[0]
    assert second.returncode == 1

    [worker] = [process for process in psutil.Process(studio.pid).children() if "light" in process.cmdline()]
    worker.kill()
    assert "worker-light ended (SIGKILL)" in read_until(studio, "worker-light")

    studio.send_signal(signal.SIGINT)
    studio.send_signal(signal.SIGINT)
    assert "Stopped." in read_until(studio, "Stopped.")
    assert studio.wait() == 0
    studio.stdout.close()
    wait_until_gone(data_dir)

    again = start(data_dir, port)
    welcome = read_until(again, "Ctrl-C")
    assert "Bringing the database up to date" not in welcome
    again.kill()  # nobody tells the children
    again.wait()
    again.stdout.close()
    wait_until_gone(data_dir)


def test_a_port_that_is_taken_is_named(data_dir):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        studio = start(data_dir, taken.getsockname()[1])
        said = studio.communicate()[0]
    assert studio.returncode == 1
    assert "Choose another port" in said
    assert not embedded.listens(embedded.postgres_socket(data_dir))


def test_every_program_knows_where_the_studio_is():
    studio = Studio(host="127.0.0.1", port=8131, main_job=False, say=print)
    for program in (studio._web, studio._first_run(), *studio._workers()):
        assert program.environment == {"ATELIER_HOST": "127.0.0.1", "ATELIER_PORT": "8131"}
