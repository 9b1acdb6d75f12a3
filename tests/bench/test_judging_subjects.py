"""`bench.judging subjects` from photographs to pages, on a tiny base with random weights; then the count."""

import csv
import io
import json
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from bench import judging
from tests.catalog.bases import tiny_base_folder

PHOTOGRAPHED = ("cat", "dog2", "backpack", "rc_car", "clock", "vase")
SETS = {
    "phosphor_icons": ("duotone icon", "thin icon", "solid icon"),
    "noto_color": ("emoji",),
    "blob": ("blob emoji",),
    "noto_line": ("line drawing",),
}
SAMPLES = 10  # of each LoRA


def picture(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Photographs of six subjects and four sets of drawings, as the real folder holds them."""
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate(PHOTOGRAPHED):
        (folder / "subjects" / name).mkdir(parents=True)
        for view in range(5):
            picture(100 * number + view).save(folder / "subjects" / name / f"{view:02d}.jpg")
    for number, (archive, styles) in enumerate(SETS.items()):
        with zipfile.ZipFile(folder / f"{archive}.zip", "w") as opened:
            rows = []
            for place in range(20 * len(styles)):
                drawn = io.BytesIO()
                picture(1000 * (number + 1) + place).save(drawn, "PNG")
                opened.writestr(f"{place:03d}.png", drawn.getvalue())
                rows.append({"file_name": f"{place:03d}.png", "style": styles[place % len(styles)]})
            opened.writestr("metadata.jsonl", "\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def call(monkeypatch, capsys):
    """Return a function that calls the command and returns what it prints."""

    def run(*arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["judging", *map(str, arguments)])
        judging.main()
        return capsys.readouterr().out.splitlines()

    return run


def test_training_samples_figures_pages_and_the_count(images, call, tmp_path):
    """Of the style, whose training is the shortest: it makes no pictures of its class."""
    asked = ("--base", tiny_base_folder(), "--images", images, "--out", tmp_path)
    few = ("--only", "duotone", "--steps", 2, "--sample-steps", 2)
    lines = call("subjects", *asked, *few)
    assert [line.split()[0] for line in lines if " of 10 " in line] == ["duotone"]
    assert lines[-1].startswith("10 questions in ")
    one = json.loads((tmp_path / "subjects-figures.json").read_text())["duotone"]
    assert len(one["nearest"]) == len(one["spacing"]) == len(one["is_copy"]) == SAMPLES
    assert len(one["drift"]) == 20
    snapshots = {path: path.stat().st_mtime_ns for path in (tmp_path / "work/duotone/run").rglob("*")}
    assert any(path.name == "lora.safetensors" for path in snapshots)
    key = json.loads((tmp_path / "subjects-key.json").read_text())
    assert [row["group"] for row in key] == ["duotone"] * SAMPLES
    pages = {path.name: path.read_bytes() for path in tmp_path.glob("subjects-*.png")}
    assert pages

    # Called again, nothing is trained, and the pages are the same to the byte.
    call("subjects", *asked, *few)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work/duotone/run").rglob("*")} == snapshots
    assert {path.name: path.read_bytes() for path in tmp_path.glob("subjects-*.png")} == pages

    answers = tmp_path / "subjects-answers.csv"
    with answers.open("w", newline="") as file:
        csv.writer(file).writerows([("item", "answer"), *((row["item"], row["right"]) for row in key)])
    counted = call("score", "--key", tmp_path / "subjects-key.json", "--answers", answers)
    assert f"{SAMPLES - sum(one['is_copy'])} of  {SAMPLES}" in counted[0]


def test_what_is_missing_is_named(images, call, tmp_path):
    (tmp_path / "subjects" / "cat").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="dog2, backpack"):
        call("subjects", "--base", tiny_base_folder(), "--images", tmp_path, "--out", tmp_path / "out")
