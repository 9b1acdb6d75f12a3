"""The command line, from pictures to images, in one process and without Django."""

import subprocess
import sys
import zipfile

import pytest
from PIL import Image

from engines import provenance
from engines.__main__ import main
from engines.starters.drawings import draw


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(8):
        draw("cats", index, 64).save(folder / f"{index}.png")
    (folder / "notes.txt").write_text("not a picture")
    (folder / "broken.png").write_text("not a picture either")
    return folder


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    assert main(["train", "--images", str(pictures), "--out", str(out), "--steps", "2"]) == 0
    return out


def test_train_writes_a_model_and_names_what_it_left_out(pictures, tmp_path, capsys):
    assert main(["train", "--images", str(pictures), "--out", str(tmp_path), "--steps", "1"]) == 0
    captured = capsys.readouterr()
    assert "left out broken.png" in captured.err
    assert f"finished at step 1: {tmp_path / 'snapshots' / '000001'}" in captured.out


def test_run_makes_images_that_carry_their_origin(trained, tmp_path):
    model = str(trained / "snapshots" / "000002")
    assert main(["run", model, "--seeds", "0-2,7", "--truncation", "0.8", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"seed{seed:06d}.png" for seed in (0, 1, 2, 7)
    ]
    with Image.open(tmp_path / "seed000007.png") as image:
        assert image.size == (64, 64)
    record = provenance.read(tmp_path / "seed000007.png")
    assert record.settings == {"Seed": 7, "Truncation": 0.8}
    assert record.model == trained.name


def test_info_tells_what_a_model_is(trained, capsys):
    assert main(["info", str(trained / "snapshots" / "000002")]) == 0
    told = capsys.readouterr().out
    assert "stylegan2, 64 pixels" in told
    assert "32 images in all, 2 steps" in told


def test_a_zip_is_as_good_as_a_folder(pictures, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in pictures.iterdir():
            archive.write(path, f"../outside/{path.name}")
    out = tmp_path / "deep" / "run"
    assert main(["train", "--images", str(tmp_path / "pictures.zip"), "--out", str(out), "--steps", "1"]) == 0
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "deep" / "outside").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere"], "There is no starter 'nowhere'"),
        (["train", "--images", "{empty}", "--out", "{empty}"], "no pictures"),
        (["train", "--images", "{empty}/bad.zip", "--out", "{empty}"], "not a readable ZIP"),
        (["train", "--images", "{pictures}", "--out", "{empty}", "--steps", "0"], "Steps must be between"),
        (["train", "--images", "{pictures}", "--out", "{empty}", "--micro-batch", "5"], "multiple of both"),
    ],
)
def test_mistakes_are_told_in_one_line(pictures, tmp_path, capsys, arguments, message):
    (tmp_path / "bad.zip").write_text("not a ZIP")
    filled = [argument.format(empty=tmp_path, pictures=pictures) for argument in arguments]
    assert main(filled) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("seeds", ["x", "5-1", "0-99999999"])
def test_impossible_seeds_are_refused(seeds, tmp_path):
    with pytest.raises(SystemExit):
        main(["run", "anything", "--seeds", seeds, "--out", str(tmp_path)])


def test_the_module_runs_without_django(trained):
    code = "import sys, engines.__main__; sys.exit(any(name in sys.modules for name in ('django', 'redis')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
