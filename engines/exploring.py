"""`python -m engines map|walk|project|mix`: going about in the latent space of a model."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engines import provenance
from engines.crops import crop_boxes
from engines.errors import ConfigError, DatasetError
from engines.film_provenance import FilmMarker
from engines.images import UInt8Array, cut_square, grid, load_rgb
from engines.manifest import ModelInfo
from engines.progress import Control, Progress, TerminalHost
from engines.starters import model_folder
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace, render_tiles
from engines.stylegan.mix import ModelPair
from engines.stylegan.points import LatentMap, Point, Seed, Tile, parse_point
from engines.stylegan.project import Projector, projection_floor
from engines.stylegan.projecting import ProjectConfig
from engines.stylegan.relatives import STRANGERS_WARNING, Kinship, MixConfig
from engines.stylegan.walk import write_walk
from engines.stylegan.walking import Walk

MAX_TILES = 2500
PREVIEW_SEEDS = range(8)


def add_commands(commands: Any) -> None:
    """Add the commands to what `argparse.ArgumentParser.add_subparsers` returned."""
    command = commands.add_parser("map", help="one sheet of a model's endless map")
    command.set_defaults(command=_map)
    _add_model(command)
    command.add_argument("--out", type=Path, required=True, help="the PNG file to write")
    command.add_argument("--seed", type=int, default=0, help="of the map (default: %(default)s)")
    command.add_argument("--size", type=_size, default=(12, 8), metavar="12x8", help="tiles")
    command.add_argument("--at", type=_pair, default=(0, 0), metavar="X,Y", help="the tile in the middle")
    command.add_argument("--zoom", type=int, default=0, help="each level halves the steps")
    command.add_argument("--distance", type=float, default=0.5, help="between tiles at zoom 0")
    command.add_argument("--truncation", type=float, default=0.8, help="below 1: more typical")
    command.add_argument("--centre", type=_point, help="what tile 0,0 shows: a seed, or the file of a point")
    command.add_argument("--axes", type=_pair, metavar="I,J", help="directions that grow right and down")

    command = commands.add_parser("walk", help="a film of the way from point to point")
    command.set_defaults(command=_walk)
    _add_model(command)
    command.add_argument("points", nargs="+", type=_point, help="seeds, or files of points")
    command.add_argument("--out", type=Path, required=True, help="a .mp4, .gif or .zip (of PNG files)")
    command.add_argument("--seconds", type=float, default=2.0, help="from point to point")
    command.add_argument("--fps", type=int, default=24)
    command.add_argument("--loop", action="store_true", help="go back to the first point at the end")
    command.add_argument("--easing", choices=("linear", "smooth"), default="smooth")
    command.add_argument("--space", choices=("w", "z"), default="w")
    command.add_argument("--truncation", type=float, default=0.8)

    command = commands.add_parser("project", help="find the point whose picture is most like a given one")
    command.set_defaults(command=_project)
    _add_model(command)
    command.add_argument("picture", type=Path, help="JPEG, PNG ...; its middle square is taken")
    command.add_argument("--out", type=Path, required=True, help="folder; run again to go on")
    command.add_argument("--steps", type=int, default=300)
    command.add_argument("--space", choices=("w", "w+"), default="w+")
    command.add_argument(
        "--no-floor", action="store_true", help="do not project a picture of the model's own"
    )

    command = commands.add_parser("mix", help="make one model of two")
    command.set_defaults(command=_mix)
    command.add_argument("first", help="model folder, or name of a shipped starter")
    command.add_argument("second", help="the other one")
    command.add_argument("--out", type=Path, required=True, help="the model folder to write")
    command.add_argument("--share", type=float, default=0.5, help="of the second one, in an average")
    command.add_argument("--swap", type=int, help="blend: the second one's layers from this resolution on")
    command.add_argument("--sharpness", type=float, default=4.0, help="of a blend")
    command.add_argument("--preview", type=Path, help="PNG: the same seeds in the first, the mix, the second")
    command.add_argument("--name", default="")


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help="model folder, or name of a shipped starter")
    command.add_argument("--threads", type=int)


def _map(options: argparse.Namespace) -> int:
    latent_map = LatentMap(
        seed=options.seed,
        distance=options.distance,
        truncation=options.truncation,
        centre=options.centre,
        axes=options.axes,
    )
    columns, rows = options.size
    left, top = options.at[0] - columns // 2, options.at[1] - rows // 2
    tiles = [
        Tile(x=left + column, y=top + row, zoom=options.zoom)
        for row in range(rows)
        for column in range(columns)
    ]
    space = _space(options)
    with _told_host() as host:
        pictures = render_tiles(space, latent_map, tiles, on_batch=_told(host))
    record = _record(space.generator.info, {"Map": json.dumps(latent_map.as_json())})
    provenance.write_png(Image.fromarray(grid(pictures, columns=columns)), options.out, record)
    sys.stdout.write(f"{len(tiles)} tiles in {options.out}\n")
    return 0


def _walk(options: argparse.Namespace) -> int:
    walk = Walk(
        points=tuple(options.points),
        seconds=options.seconds,
        fps=options.fps,
        loop=options.loop,
        easing=options.easing,
        space=options.space,
        truncation=options.truncation,
    )
    space = _space(options)
    marker = FilmMarker(_record(space.generator.info, walk.as_record()))
    with _told_host() as host:
        frames = write_walk(space, walk, options.out, marker=marker, on_batch=_told(host))
    sys.stdout.write(f"{frames} frames in {options.out}\n")
    return 0


def _project(options: argparse.Namespace) -> int:
    folder = model_folder(options.model)
    generator = Generator.load(folder, threads=options.threads)
    projector = Projector(generator, folder)
    config = ProjectConfig(steps=options.steps, space=options.space)
    picture = _square(options.picture, generator.resolution)
    with _told_host() as host:
        found = projector.project(picture, config, host, state=options.out / "state")
    record = _record(generator.info, {"Projection of": options.picture.name})
    provenance.write_png(Image.fromarray(found.picture), options.out / "projection.png", record)
    Image.fromarray(picture).save(options.out / "picture.png")
    (options.out / "point.json").write_text(json.dumps(found.point.as_json()), encoding="utf-8")
    figures = {
        "random pictures of the model, on average": found.unrelated,
        "the nearest of many random ones": found.best_random,
        f"the projection after {found.step} steps": found.reached,
    }
    if found.step == config.steps and not options.no_floor:
        figures["a picture of the model's own, projected"] = projection_floor(projector, config)
    for name, nearness in figures.items():
        sys.stdout.write(f"{nearness.distance:8.4f}  {nearness.grey_levels:6.1f} of 255  {name}\n")
    return 0


def _mix(options: argparse.Namespace) -> int:
    if options.swap is None:
        config = MixConfig(share=options.share)
    else:
        config = MixConfig(method="blend", swap=options.swap, sharpness=options.sharpness)
    pair = ModelPair(model_folder(options.first), model_folder(options.second))
    if pair.kinship is Kinship.STRANGERS:
        sys.stderr.write(f"{STRANGERS_WARNING}\n")
    if options.preview is not None:
        rows = pair.preview([config], PREVIEW_SEEDS)
        sheet = grid(np.concatenate(list(rows)), columns=len(PREVIEW_SEEDS))
        Image.fromarray(sheet).save(options.preview)
    info = pair.write(options.out, config, name=options.name)
    sys.stdout.write(f"{info.name} ({info.licence or 'no licence stated'}) in {options.out}\n")
    return 0


def _space(options: argparse.Namespace) -> LatentSpace:
    return LatentSpace(Generator.load(model_folder(options.model), threads=options.threads))


def _record(info: ModelInfo, settings: dict[str, Any]) -> provenance.Provenance:
    return provenance.Provenance(
        model=info.name, model_sha256=info.sha256, settings=settings, licence=info.licence
    )


def _square(path: Path, side: int) -> UInt8Array:
    try:
        image = load_rgb(path)
    except OSError as error:
        raise DatasetError(f"{path} is not a picture that can be read. Give a JPEG or PNG file.") from error
    box = crop_boxes(image.width, image.height, "center")[0]
    return np.asarray(cut_square(image, box, side))


@contextmanager
def _told_host() -> Iterator[TerminalHost]:
    """A host on the terminal; Ctrl-C asks it to stop."""
    host = TerminalHost()
    previous = signal.signal(signal.SIGINT, lambda *_: host.request_stop())
    try:
        yield host
    finally:
        signal.signal(signal.SIGINT, previous)


def _told(host: TerminalHost) -> Callable[[int, int], None]:
    def on_batch(done: int, total: int) -> None:
        if host.progress(Progress(step=done, total=total)) is Control.STOP:
            raise ConfigError("Stopped: nothing was written.")

    return on_batch


def _point(text: str) -> Point:
    """A seed, or a file that `project` wrote."""
    if text.isdecimal():
        return Seed(seed=int(text), truncation=0.8)
    try:
        return parse_point(json.loads(Path(text).read_text(encoding="utf-8")))
    except (OSError, ValueError, ConfigError) as error:
        raise argparse.ArgumentTypeError(f"{text} is neither a seed nor the file of a point") from error


def _pair(text: str) -> tuple[int, int]:
    try:
        first, second = map(int, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError("write two whole numbers like 3,-2") from error
    return first, second


def _size(text: str) -> tuple[int, int]:
    try:
        columns, rows = map(int, text.split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError("write columns and rows like 12x8") from error
    if min(columns, rows) < 1 or columns * rows > MAX_TILES:
        raise argparse.ArgumentTypeError(f"ask for 1 to {MAX_TILES} tiles")
    return columns, rows
