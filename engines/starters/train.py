"""How each shipped starter was made: `python -m engines.starters.train faces64 --out DIR` makes it again.

The outcome depends on processor and torch version in its last bits, so a repeated training gives an equally
good model, not the same file.
"""

import argparse
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engines.dataset import prepare
from engines.progress import TerminalHost
from engines.starters.drawings import FAMILIES, write_family
from engines.stylegan.config import PRESETS
from engines.stylegan.train import TrainResult, train


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One starter: which drawings, which preset, which settings."""

    family: str
    count: int
    preset: str
    steps: int
    settings: dict[str, Any] = field(default_factory=dict)


RECIPES = {
    "faces64": Recipe(
        family="faces",
        count=5000,
        preset="cpu64",
        steps=6500,
        # No augmentation: 5,000 pictures, each also reversed, are not learnt by heart in this time. No noise:
        # flat drawings have no random detail.
        settings={
            "seed": 1,
            "learning_rate": 0.0035,
            "gamma": 0.3,
            "ema_kimg": 3.0,
            "ada_target": 0.0,
            "noise": False,
        },
    ),
}


def train_starter(name: str, out: Path, **overrides: Any) -> TrainResult:
    """Draw the pictures, train in `out` (resuming what is there); half an hour of one core."""
    recipe = RECIPES[name]
    family = FAMILIES[recipe.family]
    dataset_folder = out / "dataset"
    if not dataset_folder.is_dir():
        with TemporaryDirectory() as drawings:
            resolution = PRESETS[recipe.preset].architecture.resolution
            paths = write_family(recipe.family, Path(drawings), count=recipe.count, size=resolution)
            prepare(
                [(path.name, path) for path in paths], dataset_folder, resolution=resolution, crop="center"
            )
    settings = {
        **recipe.settings,
        "steps": recipe.steps,
        "name": name,
        "licence": family.licence,
        **overrides,
    }
    config = PRESETS[recipe.preset].config(dataset=dataset_folder, run_dir=out, **settings)
    return train(config, TerminalHost())


def main() -> None:
    """Train one starter and leave its model folder in OUT/<name>."""
    parser = argparse.ArgumentParser(prog="python -m engines.starters.train", description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    result = train_starter(options.name, options.out, threads=options.threads)
    if result.outcome == "finished" and result.snapshot:
        shutil.copytree(result.snapshot.folder, options.out / options.name, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
