"""Programs are started, restarted with growing patience, and stopped together."""

import signal
import sys
import time

import psutil
import pytest

from config.supervisor import Program, Supervisor, describe_exit

FOREVER = "import time\nwhile True: time.sleep(60)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\n"
    + FOREVER
)


@pytest.fixture
def program(tmp_path):
    def make(code, **values):
        command = [sys.executable, "-c", code]
        return Program(name="worker", command=command, log=tmp_path / "logs" / "worker.log", **values)

    return make


@pytest.fixture
def supervise():
    said, supervisors = [], []

    def make(*programs):
        supervisors.append(Supervisor(programs, say=said.append))
        return supervisors[-1], said

    yield make
    for supervisor in supervisors:
        supervisor.shut_down(grace_seconds=0)


def tick_until(supervisor, condition):
    for _ in range(1000):
        supervisor.tick()
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within ten seconds")


def test_a_program_that_dies_is_started_again(program, supervise):
    worker = program(FOREVER)
    supervisor, said = supervise(worker)
    supervisor.tick()
    first = worker.process.pid
    worker.process.kill()
    tick_until(supervisor, lambda: worker.is_running and worker.process.pid != first)
    assert said == [f"worker ended (SIGKILL); starting it again in 0.5 s. Its log: {worker.log}"]
    assert worker.delay == 1.0


def test_a_program_that_was_healthy_is_started_again_quickly(program, supervise):
    worker = program(FOREVER, delay=16.0)
    supervisor, said = supervise(worker)
    supervisor.tick()
    worker.started_at -= 3600
    worker.process.kill()
    tick_until(supervisor, lambda: said)
    assert "in 0.5 s" in said[0]


def test_a_program_with_an_end_is_not_started_again(program, supervise):
    once = program("", once=True)
    supervisor, said = supervise(once)
    tick_until(supervisor, lambda: once.finished)
    supervisor.tick()
    assert not once.is_running
    assert said == []


def test_what_a_program_complains_about_is_in_its_log(program, supervise):
    worker = program("import sys; sys.exit('out of tea')")
    supervisor, said = supervise(worker)
    tick_until(supervisor, lambda: said)
    assert worker.log.read_text() == "out of tea\n"
    assert "code 1" in said[0]


def test_a_large_log_is_put_aside(program, supervise):
    worker = program("")
    worker.log.parent.mkdir()
    worker.log.write_bytes(b"x" * (11 * 1024 * 1024))
    supervise(worker)[0].tick()
    assert worker.log.stat().st_size < 1024
    assert worker.log.with_suffix(".old.log").exists()


def test_shutting_down_stops_everything_even_the_deaf(program, supervise, capfd):
    polite, deaf = program(FOREVER), program(STUBBORN)
    supervisor, said = supervise(polite, deaf)
    supervisor.tick()
    heard = []
    tick_until(supervisor, lambda: heard.append(capfd.readouterr().out) or "deaf" in "".join(heard))
    pids = [polite.process.pid, deaf.process.pid]
    supervisor.shut_down(grace_seconds=0.5)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert said == ["worker does not stop; ending it."]
    assert polite.process.returncode == -signal.SIGTERM
    assert deaf.process.returncode == -signal.SIGKILL


def test_stopping_ends_the_loop_and_twice_does_no_harm(program, supervise):
    worker = program(FOREVER)
    supervisor, _said = supervise(worker)

    def stop() -> None:
        supervisor.stop()
        supervisor.stop()

    supervisor.run(every=stop, interval=0)
    assert supervisor.stopping


@pytest.mark.parametrize(
    ("code", "words"), [(0, "code 0"), (3, "code 3"), (-9, "SIGKILL"), (-99, "signal 99")]
)
def test_exits_are_named(code, words):
    assert describe_exit(code) == words
