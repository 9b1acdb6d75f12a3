"""Exploring from the command line, with a shipped starter."""

import json

import numpy as np
import pytest
from PIL import Image

from engines import provenance
from engines.__main__ import main
from engines.manifest import read_model_info, verify_files
from engines.starters import starter_folder


def test_map_makes_one_sheet_that_tells_its_origin(tmp_path):
    out = tmp_path / "map.png"
    arguments = ["map", "people64", "--size", "3x2", "--centre", "5", "--axes", "0,1"]
    assert main([*arguments, "--threads", "1", "--out", str(out)]) == 0
    with Image.open(out) as image:
        assert image.size == (192, 128)
    record = provenance.read(out)
    assert record.model == "people64"
    assert json.loads(record.settings["Map"])["centre"] == {"kind": "seed", "seed": 5, "truncation": 0.8}


def test_walk_writes_a_film(tmp_path, capsys):
    out = tmp_path / "walk.gif"
    arguments = ["walk", "people64", "1", "2", "--seconds", "0.5", "--fps", "4"]
    assert main([*arguments, "--threads", "1", "--out", str(out)]) == 0
    assert "3 frames" in capsys.readouterr().out
    with Image.open(out) as animation:
        assert animation.n_frames == 3


def test_project_writes_a_point_that_map_and_walk_take(tmp_path, capsys):
    pixels = np.full((40, 60, 3), (200, 220, 240), np.uint8)
    pixels[10:30, 20:40] = (90, 60, 40)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    out = tmp_path / "out"
    arguments = ["project", "people64", str(tmp_path / "picture.png"), "--steps", "10", "--no-floor"]
    assert main([*arguments, "--threads", "1", "--out", str(out)]) == 0
    assert "the projection after 10 steps" in capsys.readouterr().out
    point, sheet = out / "point.json", tmp_path / "map.png"
    assert main(["map", "people64", "--size", "1x1", "--centre", str(point), "--out", str(sheet)]) == 0
    shown, found = (np.asarray(Image.open(path)).astype(int) for path in (sheet, out / "projection.png"))
    assert np.abs(shown - found).max() <= 1


def test_mix_makes_a_model_of_two(tmp_path, capsys):
    out, preview = tmp_path / "mix", tmp_path / "preview.png"
    arguments = ["mix", "people64", "flowers64", "--swap", "16", "--preview", str(preview), "--out", str(out)]
    assert main(arguments) == 0
    assert "Apache-2.0" in capsys.readouterr().out
    info = read_model_info(out)
    verify_files(out, info)
    parents = [read_model_info(starter_folder(name)).sha256 for name in ("people64", "flowers64")]
    assert [entry["sha256"] for entry in info.lineage[:2]] == parents
    with Image.open(preview) as image:
        assert image.size == (8 * 64, 3 * 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["walk", "people64", "1", "2", "--seconds", "60", "--fps", "60", "--loop"], "3,600 are allowed"),
        (["walk", "people64", "1"], "2 to 100 points"),
        (["map", "people64", "--truncation", "50"], "Truncation goes from -1 to 2"),
        (["project", "people64", "{black}"], "black all over"),
        (["project", "people64", "nowhere.png"], "not a picture"),
        (["mix", "people64", "people64"], "same model twice"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, capsys, arguments, message):
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    filled = [argument.format(black=tmp_path / "black.png") for argument in arguments]
    assert main([*filled, "--out", str(tmp_path / "out.mp4")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--size", "0x4"], ["--at", "1"], ["--centre", "nowhere.json"], ["--size", "999x999"]]
)
def test_impossible_arguments_are_refused(tmp_path, arguments):
    with pytest.raises(SystemExit):
        main(["map", "people64", *arguments, "--out", str(tmp_path / "map.png")])
