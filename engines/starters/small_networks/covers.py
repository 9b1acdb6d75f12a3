"""The pictures that show on the catalog what the two small networks do, made with the networks themselves.

    python -m engines.starters.small_networks.covers enlarge cats 2 --out cover.webp
    python -m engines.starters.small_networks.covers identify PICTURE... --out cover.webp

`enlarge` shows a drawing of the studio (CC0) at half its size, enlarged by plain interpolation and by the
network, side by side. `identify` shows the pictures that it is given with its two best guesses of each.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from engines.onnx.run import OnnxModel
from engines.starters.drawings import draw

_STARTERS = Path(__file__).parent.parent
_DRAWN = 128  # pixels a side; they are halved, then doubled again
_ZOOM = 3  # so that pixels can be seen
_GAP, _INK, _PAPER = 8, (40, 40, 46), (255, 255, 255)
_TILE, _LINE = 240, 26
_GUESSES = 2


def show_enlarging(family: str, index: int) -> Image.Image:
    """Return a drawing of half the size twice: enlarged by plain interpolation, and by the network."""
    side = _DRAWN * _ZOOM
    sheet = Image.new("RGB", (2 * side + _GAP, side), _PAPER)
    small = draw(family, index, _DRAWN).resize((_DRAWN // 2, _DRAWN // 2), Image.Resampling.BICUBIC)
    with tempfile.TemporaryDirectory() as scratch, OnnxModel(_STARTERS / "enlarge2x") as model:
        given = Path(scratch) / "given.png"
        small.save(given)
        made = _picture_of(model.run({"picture": str(given)}, out=Path(scratch)).outputs)
    plain = small.resize((_DRAWN, _DRAWN), Image.Resampling.BICUBIC)
    for column, picture in enumerate((plain, made)):
        sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (column * (side + _GAP), 0))
    return sheet


def _picture_of(outputs: Any) -> Image.Image:
    [told] = [value for value in outputs.values() if isinstance(value, dict)]
    with Image.open(told["file"]) as image:
        return image.convert("RGB")


def show_guesses(pictures: Sequence[Path]) -> Image.Image:
    """Return a sheet: each picture with the network's best guesses and their scores below it.

    Four stand two by two on a square: as cards show it.
    """
    columns = 2 if len(pictures) == 4 else 4
    rows = -(-len(pictures) // columns)
    height = _TILE + _GUESSES * _LINE + _GAP
    sheet = Image.new("RGB", (columns * (_TILE + _GAP) - _GAP, rows * (height + _GAP) - _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=18)
    with tempfile.TemporaryDirectory() as scratch, OnnxModel(_STARTERS / "identify64") as model:
        for place, path in enumerate(pictures):
            x, y = (place % columns) * (_TILE + _GAP), (place // columns) * (height + _GAP)
            with Image.open(path) as image:
                sheet.paste(image.convert("RGB").resize((_TILE, _TILE), Image.Resampling.LANCZOS), (x, y))
            [guesses] = model.run({"picture": str(path)}, out=Path(scratch)).outputs.values()
            for number, guess in enumerate(guesses[:_GUESSES]):
                told = f"{guess['label']}  {guess['score']:.0%}"
                pen.text((x + _GAP, y + _TILE + _GAP // 2 + number * _LINE), told, fill=_INK, font=font)
    side = max(sheet.size)
    return ImageOps.pad(sheet, (side, side), color=_PAPER) if len(pictures) == 4 else sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a sheet as a WebP file."""
    parser = argparse.ArgumentParser(prog="python -m engines.starters.small_networks.covers")
    parser.add_argument("network", choices=("enlarge", "identify"))
    parser.add_argument("shown", nargs="+", help="a family of drawings and an index; or files of pictures")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.network == "enlarge":
        family, index = options.shown
        sheet = show_enlarging(family, int(index))
    else:
        sheet = show_guesses([Path(path) for path in options.shown])
    sheet.save(options.out, "WEBP", quality=88, method=6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
