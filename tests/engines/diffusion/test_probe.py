"""The probe of LoRA trainings: all parts of one are measured, and nothing is left behind."""

import json

from engines import probing
from engines.__main__ import main
from engines.diffusion import probe


def test_the_probe_measures_all_parts(base_folders, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "ENOUGH_SECONDS", 0.0)
    monkeypatch.setattr(probe, "PICTURE_SIDE", 32)
    monkeypatch.setattr(probing, "PICTURE_SIDE", 64)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    out, base = tmp_path / "speed.json", str(base_folders("starter"))
    assert main(["probe", "--base", base, "--device", "cpu", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert set(found) == {"start", "step", "snapshot", "picture"}
    assert all(seconds > 0 for seconds in found.values())
    assert not list((tmp_path / "scratch").glob("probe-*"))
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_base_that_is_none_is_told(tmp_path, capsys):
    assert main(["probe", "--base", str(tmp_path), "--out", str(tmp_path / "speed.json")]) == 1
    assert "Traceback" not in capsys.readouterr().err
