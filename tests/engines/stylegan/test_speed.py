"""What a training's parts take: how that changes with its sizes, and the probe that measures it."""

import json
from pathlib import Path

import pytest

from engines.__main__ import main
from engines.probing import Stopwatch
from engines.progress import Control
from engines.stylegan import probe
from engines.stylegan.config import PRESETS, Architecture, Preset
from engines.stylegan.speed import snapshot_worth, step_multiply_adds

TINY = Preset(
    title="tiny",
    architecture=Architecture(
        resolution=16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8
    ),
    settings={"batch": 4, "path_length_weight": 2.0, "quality_samples": 16},
    transfer={},
    scratch_steps=20,
    transfer_steps=20,
)


def config(name: str = "cpu64", **values: object):
    return PRESETS[name].config(dataset=Path(), run_dir=Path(), **values)


def work(name: str = "cpu64", **values: object) -> float:
    return step_multiply_adds(PRESETS[name].architecture, config(name, **values))


def test_what_makes_a_step_longer():
    assert work(batch=32) == 2 * work()
    assert work(gamma=0.0) < work() < work(path_length_weight=2.0)
    assert work(path_length_weight=2.0, path_length_interval=1) > work(path_length_weight=2.0)
    assert 4 < work("cpu64-hq") / work() < 12
    assert work("gpu256") > 10 * work("cpu64-hq")


def test_snapshots_cost_by_their_figures():
    assert snapshot_worth(config(), 512) == pytest.approx(1.0)
    assert snapshot_worth(config(), 5000) == pytest.approx(1.0)
    assert snapshot_worth(config(), 50) < 0.3
    assert snapshot_worth(config(quality_samples=0), 5000) < 0.3


def test_the_probe_measures_all_parts_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "PRESETS", {"cpu64": TINY})
    monkeypatch.setattr("engines.probing.PICTURE_SIDE", 64)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    out = tmp_path / "speed.json"
    assert main(["probe", "--preset", "cpu64", "--device", "cpu", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert set(found) == {"start", "step", "snapshot", "picture"}
    assert all(seconds > 0 for seconds in found.values())
    assert not list((tmp_path / "scratch").glob("probe-*"))
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_the_measured_steps_hold_each_regularisation_as_often_as_the_long_run():
    for name in PRESETS:
        tried = config(name)
        assert probe.ROUND % tried.r1_interval == 0
        assert probe.ROUND % tried.path_length_interval == 0


def test_each_kind_of_step_counts_as_often_as_it_comes_and_a_disturbance_does_not():
    tried = config("cpu64-hq")
    seconds = [9.0] * 4 + [
        1.0 + 0.5 * (step % tried.path_length_interval == 0) + 2.0 * (step % tried.r1_interval == 0)
        for step in range(4, 20)
    ]
    expected = 1.0 + 0.5 / 4 + 2.0 / 16
    assert probe.mean_step(seconds, tried) == pytest.approx(expected)
    seconds[6] = 30.0
    assert probe.mean_step(seconds, tried) == pytest.approx(expected)


@pytest.mark.parametrize(("seconds", "asked"), [(0.0, 68), (1e9, 20)])
def test_the_probe_ends_with_a_round_once_that_is_enough(seconds, asked, monkeypatch):
    watch = Stopwatch(warm_up=probe.WARM_UP_STEPS, round_steps=probe.ROUND, enough_seconds=1e6)
    monkeypatch.setattr(watch, "_lap", lambda: seconds)
    steps = 0
    while steps < probe.WARM_UP_STEPS + probe.MOST_ROUNDS * probe.ROUND:
        steps += 1
        if watch.progress(None) is Control.STOP:
            break
    assert steps == asked
