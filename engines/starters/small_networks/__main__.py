"""`python -m engines.starters.small_networks identify|enlarge --images DIR --out DIR`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from engines.errors import EngineError
from engines.starters.small_networks import enlarge, export, identify
from engines.starters.text_to_image.sources import MissingSource


def main(arguments: Sequence[str] | None = None) -> int:
    """Train one of the networks, going on from what `--out` holds, and write what it reaches."""
    parser = argparse.ArgumentParser(prog="python -m engines.starters.small_networks", description=__doc__)
    parser.add_argument("network", choices=_TRAIN)
    parser.add_argument("--images", type=Path, required=True, help="folder of the picture sets")
    parser.add_argument("--out", type=Path, required=True, help="where to work; run again to go on")
    parser.add_argument(
        "--export", type=Path, metavar="DIR", help="write what --out was trained to as this model folder"
    )
    parser.add_argument("--steps", type=int, help="updates in all (default: the recipe's)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        if options.export is not None:
            return _export(options)
        figures = _TRAIN[options.network](options.images, options.out, options.steps)
    except (EngineError, MissingSource) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


def _export(options: argparse.Namespace) -> int:
    figures = json.loads((options.out / "figures.json").read_text())
    write = export.export_identifier if options.network == "identify" else export.export_enlarger
    write(options.out, options.export, lineage=export.lineage_of(options.images), figures=figures)
    return 0


def _identify(images: Path, out: Path, steps: int | None) -> dict[str, dict[str, float]]:
    drawings = identify.read(images)
    network = identify.train_identifier(drawings, out, steps=steps or identify.STEPS)
    held = drawings.held_out
    return {
        "held-out drawings": identify.measure_identifier(network, drawings.where(held)),
        "drawings it learned from": identify.measure_identifier(network, drawings.where(~held), views=2),
    }


def _enlarge(images: Path, out: Path, steps: int | None) -> dict[str, dict[str, float]]:
    photographs, drawings = enlarge.read(images, held_out=False)
    network = enlarge.train_enlarger(photographs, drawings, out, steps=steps or enlarge.STEPS)
    photographs, drawings = enlarge.read(images, held_out=True)
    return {
        "held-out photographs": enlarge.measure_enlarger(network, photographs),
        "held-out drawings": enlarge.measure_enlarger(network, drawings),
    }


_TRAIN = {"identify": _identify, "enlarge": _enlarge}

if __name__ == "__main__":
    sys.exit(main())
