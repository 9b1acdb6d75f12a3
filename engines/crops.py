"""Crop geometry: which part of a picture training sees. Pure arithmetic, so that a page can preview it.

A box is `(left, upper, right, lower)` in pixels of the upright picture and is resized to a square. It may
reach beyond the picture (letterbox): what lies outside is filled with the average colour of the picture's
border.
"""

import hashlib
from typing import Literal, get_args

import numpy as np

CropMode = Literal["center", "random", "letterbox", "squeeze"]
CROP_MODES: tuple[CropMode, ...] = get_args(CropMode)
Box = tuple[int, int, int, int]

RANDOM_CROPS = 4  # squares drawn from each picture in the mode "random": every picture weighs the same
RANDOM_MIN_SIDE = 0.75  # the smallest of them, as a fraction of the picture's shorter side


def crop_box(width: int, height: int, mode: CropMode, *, seed: int = 0, name: str = "") -> Box:
    """The box that training sees first; see `crop_boxes`."""
    return crop_boxes(width, height, mode, seed=seed, name=name)[0]


def training_boxes(
    width: int, height: int, mode: CropMode, *, box: Box | None = None, seed: int = 0, name: str = ""
) -> list[Box]:
    """All boxes that training sees of a picture: the `box` drawn by hand if there is one, else `crop_boxes`.

    Raises ValueError for an empty picture or an unknown mode.
    """
    return [box] if box else crop_boxes(width, height, mode, seed=seed, name=name)


def crop_boxes(width: int, height: int, mode: CropMode, *, seed: int = 0, name: str = "") -> list[Box]:
    """All boxes cut from one picture of `width` x `height` pixels.

    - center: the largest square in the middle.
    - random: `RANDOM_CROPS` squares of 75 to 100 % of the shorter side, anywhere in the picture; they depend
      on `seed` and `name` only, not on the order of the pictures.
    - letterbox: the whole picture inside the smallest square around it.
    - squeeze: the whole picture; its proportions change.

    Raises ValueError for an empty picture or an unknown mode.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels has no crop")
    if mode == "center":
        side = min(width, height)
        return [_square((width - side) // 2, (height - side) // 2, side)]
    if mode == "random":
        return _random_squares(width, height, seed=seed, name=name)
    if mode == "letterbox":
        side = max(width, height)
        return [_square((width - side) // 2, (height - side) // 2, side)]
    if mode == "squeeze":
        return [(0, 0, width, height)]
    raise ValueError(f"unknown crop mode {mode!r}; choose one of {', '.join(CROP_MODES)}")


def _random_squares(width: int, height: int, *, seed: int, name: str) -> list[Box]:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    shorter = min(width, height)
    boxes = []
    for _ in range(RANDOM_CROPS):
        side = max(1, round(shorter * rng.uniform(RANDOM_MIN_SIDE, 1.0)))
        left = int(rng.integers(0, width - side, endpoint=True))
        upper = int(rng.integers(0, height - side, endpoint=True))
        boxes.append(_square(left, upper, side))
    return boxes


def _square(left: int, upper: int, side: int) -> Box:
    return (left, upper, left + side, upper + side)
