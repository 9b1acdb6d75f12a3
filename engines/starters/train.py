"""Makes a shipped starter again: `python -m engines.starters.train people64 --images DIR --out DIR`.

The outcome depends on processor and torch version in its last bits, so a repeated training gives an equally
good model, not the same file.
"""

import argparse
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engines.checkpoint import load_tensors, write_model
from engines.dataset import prepare
from engines.errors import EngineError
from engines.files import atomic_folder
from engines.manifest import DISCRIMINATOR_FILE, read_model_info
from engines.progress import Host, TerminalHost
from engines.starters import starter_folder
from engines.starters.recipes import RECIPES, Recipe
from engines.stylegan.config import PRESETS
from engines.stylegan.snapshots import GRID_FILE, STATS_FILE
from engines.stylegan.train import TrainResult, train


def train_starter(
    name: str,
    out: Path,
    *,
    images: Path | None = None,
    start: Path | None = None,
    host: Host | None = None,
    **overrides: Any,
) -> TrainResult:
    """Make the pictures and train in `out`, stage by stage, resuming what is there; about an hour of a core.

    `images` holds the pictogram sets, which recipes of own drawings do not need; `start` is a model folder
    to go on from instead of the recipe's. `overrides` are TrainConfig fields that win over the recipe's.
    Raises EngineError as `train` does, DatasetError without the pictures.
    """
    recipe = RECIPES[name]
    host = host or TerminalHost()
    if start is None and recipe.start:
        start = starter_folder(recipe.start)
    dataset = _dataset(recipe, out / "dataset", images)
    for stage in recipe.stages:
        settings = {
            "steps": stage.steps,
            "name": name,
            "licence": recipe.licence,
            "start": start,
            **recipe.settings,
            **stage.settings,
            **overrides,
        }
        config = PRESETS[recipe.preset].config(dataset=dataset, run_dir=out, **settings)
        result = train(config, host)
        if result.outcome == "stopped":
            break
    return result


def _dataset(recipe: Recipe, folder: Path, images: Path | None) -> Path:
    if not folder.is_dir():
        resolution = PRESETS[recipe.preset].architecture.resolution
        with TemporaryDirectory() as scratch:
            paths = recipe.pictures.write(Path(scratch), size=resolution, images=images)
            prepare([(path.name, path) for path in paths], folder, resolution=resolution, crop="center")
    return folder


def ship(snapshot: Path, target: Path) -> None:
    """Copy a snapshot to `target` with its discriminator in float16; its images stay the same.

    Only trainings use the discriminator, and they bring it back to float32. The generator is left as it is:
    in float16 some pixels would change by more than one level.
    """
    info = read_model_info(snapshot)
    networks = {name: load_tensors(snapshot / name) for name in info.files}
    networks[DISCRIMINATOR_FILE] = {
        key: tensor.half() for key, tensor in networks[DISCRIMINATOR_FILE].items()
    }
    with atomic_folder(target) as folder:
        write_model(folder, replace(info, files={}), networks)
        for name in (GRID_FILE, STATS_FILE):
            shutil.copyfile(snapshot / name, folder / name)


def main() -> int:
    """Train one starter and leave its model folder in OUT/<name>."""
    parser = argparse.ArgumentParser(prog="python -m engines.starters.train", description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, required=True, help="where to work; run again to resume")
    parser.add_argument("--images", type=Path, help="folder of the pictogram sets, ZIPs or unpacked")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    host = TerminalHost()
    signal.signal(signal.SIGINT, lambda *_: host.request_stop())
    try:
        result = train_starter(
            options.name, options.out, images=options.images, host=host, threads=options.threads
        )
    except EngineError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    if result.outcome == "finished" and result.snapshot:
        ship(result.snapshot.folder, options.out / options.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
