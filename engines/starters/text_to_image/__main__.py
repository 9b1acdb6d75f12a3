"""The starter's training on the command line; the README beside this file says how to use it."""

import argparse
import dataclasses
import json
import signal
import sys
from pathlib import Path

import torch

from engines.starters.text_to_image import adopt, autoencoder, export, sheet, transformer
from engines.starters.text_to_image.running import Run
from engines.starters.text_to_image.sources import MissingSource


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        options.command(options)
    except (MissingSource, FileNotFoundError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _train(options: argparse.Namespace) -> None:
    run = _run(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: run.stop.set())
    if options.device == "cuda":
        first, second = autoencoder.gpu_recipe(), transformer.gpu_recipe(options.workers)
    else:
        first, second = autoencoder.Recipe(), transformer.cpu_recipe()
    second = dataclasses.replace(second, end=options.end, cooldown=options.cooldown)
    if autoencoder.train(run, first):
        transformer.Training(run, second).train()


def _adopt(options: argparse.Namespace) -> None:
    adopt.adopt(_run(options), options.base, seen=options.seen)


def _status(options: argparse.Namespace) -> None:
    """Print the last entry of each kind in the log."""
    latest: dict[tuple[str, ...], str] = {}
    for line in (options.out / "log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        latest[entry["stage"], *(name for name in ("loss", "psnr", "validation") if name in entry)] = line
    print("\n".join(latest.values()))


def _sheet(options: argparse.Namespace) -> None:
    sheet.draw_sheet(_run(options), options.png, steps=options.steps)


def _export(options: argparse.Namespace) -> None:
    size = export.export(_run(options), options.folder)
    print(f"{options.folder}: {size / 2**20:.1f} MiB")


def _run(options: argparse.Namespace) -> Run:
    return Run(
        images=options.images,
        out=options.out,
        device=getattr(options, "device", "cpu"),
        minutes=getattr(options, "minutes", None),
    )


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, required=True, help="folder that keeps the training")
    common.add_argument("--images", type=Path, default=Path(), help="folder of drawing sets and photographs")
    common.add_argument("--threads", type=int, default=1)
    parser = argparse.ArgumentParser(prog="python -m engines.starters.text_to_image", description=__doc__)
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser("train", parents=[common], help="go on training from what lies in --out")
    train.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    train.add_argument("--workers", type=int, default=12, help="processes that compose scenes for a GPU")
    train.add_argument("--minutes", type=float, default=None, help="stop, with a state, after this time")
    train.add_argument("--end", type=int, default=None, help="images after which to end; else by the phases")
    train.add_argument(
        "--cooldown", type=int, default=0, help="images before the end over which rates fall to nothing"
    )
    train.set_defaults(command=_train)

    adopted = commands.add_parser(
        "adopt", parents=[common], help="begin with the weights of an exported base"
    )
    adopted.add_argument("--base", type=Path, required=True)
    adopted.add_argument("--seen", type=int, required=True, help="images that it was trained on")
    adopted.set_defaults(command=_adopt)

    status = commands.add_parser("status", parents=[common], help="print how far the training is")
    status.set_defaults(command=_status)

    contact = commands.add_parser("sheet", parents=[common], help="draw the judging prompts")
    contact.add_argument("--png", type=Path, required=True)
    contact.add_argument("--steps", type=int, default=24)
    contact.set_defaults(command=_sheet)

    shipped = commands.add_parser("export", parents=[common], help="write the diffusers folder")
    shipped.add_argument("--folder", type=Path, required=True)
    shipped.set_defaults(command=_export)
    return parser


if __name__ == "__main__":
    sys.exit(main())
