"""Settings and presets of LoRA trainings."""

import subprocess
import sys
from pathlib import Path

import pytest

from engines.diffusion.config import PRESETS, TrainPicture, preset_for, with_keyword
from engines.errors import ConfigError

PICTURES = tuple(TrainPicture(path=Path(f"{number}.png")) for number in range(5))
WHERE = {"base": Path("base"), "run_dir": Path("run"), "keyword": "mimochi", "class_word": "cat"}


@pytest.mark.parametrize("kind", ["character", "style", "object"])
def test_steps_follow_the_number_of_pictures(kind):
    for size in ("small", "large"):
        preset = PRESETS[kind, size]
        few = preset.config(pictures=PICTURES, **WHERE)
        many = preset.config(pictures=PICTURES * 12, **WHERE)
        assert preset.steps[0] <= few.steps <= many.steps <= preset.steps[1]
        assert bool(few.prior_pictures) == (kind != "style")


def test_presets_follow_the_base():
    assert preset_for("object", 6_500_000) is PRESETS["object", "small"]
    assert preset_for("object", 2_600_000_000) is PRESETS["object", "large"]


def test_captions_get_the_keyword():
    config = preset_for("object", 1).config(pictures=PICTURES, **WHERE)
    assert "a mimochi cat" in config.captions_of(PICTURES[0])
    assert "a mimochi cat on a meadow" in config.captions_in("on a meadow")
    assert "a mimochi cat" in config.captions_in("")
    own = TrainPicture(path=Path("a.png"), captions=("on a chair", "Mimochi asleep"))
    assert config.captions_of(own) == ("mimochi, on a chair", "Mimochi asleep")
    assert with_keyword("", "mimochi") == "mimochi"


def test_the_learning_rate_warms_up_and_falls():
    config = preset_for("style", 1).config(pictures=PICTURES, **WHERE)
    shares = [config.learning_rate_at(step) for step in range(config.steps)]
    assert shares[0] == 0.1
    assert max(shares) == 1
    assert 0.1 <= shares[-1] < 0.11


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pictures": PICTURES[:2]}, "at least 5 pictures; you gave 2"),
        ({"keyword": " "}, "needs a keyword"),
        ({"steps": 0}, "Steps go from 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"ema": 2.0}, "ema must be between 0 and 1"),
    ],
)
def test_settings_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        PRESETS["object", "small"].config(**{"pictures": PICTURES, **WHERE, **values})


def test_settings_need_no_torch():
    code = "import sys, engines.diffusion.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
