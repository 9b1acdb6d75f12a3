import io

from engines.progress import Control, Progress, SilentHost, Snapshot, TerminalHost


def test_the_line_tells_step_speed_and_rest():
    host = TerminalHost(io.StringIO())
    line = host.line(
        Progress(step=10, total=40, losses={"loss_d": 1.234}, images_per_second=81.25, eta_seconds=3725.0)
    )
    assert "step 10 of 40" in line
    assert line.count("#") == 6
    assert "81.2 images/s" in line
    assert "1 h 02 min left" in line
    assert "loss_d 1.23" in line


def test_the_end_is_always_shown():
    stream = io.StringIO()
    host = TerminalHost(stream)
    for step in range(1, 101):
        assert host.progress(Progress(step=step, total=100)) is Control.CONTINUE
    lines = stream.getvalue().splitlines()
    assert len(lines) < 10
    assert "step 100 of 100" in lines[-1]


def test_a_request_to_stop_reaches_the_engine(tmp_path):
    stream = io.StringIO()
    host = TerminalHost(stream)
    host.request_stop()
    assert host.progress(Progress(step=1, total=2)) is Control.STOP
    host.snapshot(Snapshot(folder=tmp_path, grid=tmp_path / "grid.png", step=1, nimg=16))
    assert str(tmp_path) in stream.getvalue()


def test_a_silent_host_lets_the_engine_go_on():
    assert SilentHost().progress(Progress(step=1, total=2)) is Control.CONTINUE
