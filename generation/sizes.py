"""Sizes of pictures: what a base allows, by ratio and resolution."""

import math

# What people choose from, width to height. The area stays about that of the square.
RATIOS = {
    "1:1": (1, 1),
    "4:3": (4, 3),
    "3:2": (3, 2),
    "16:9": (16, 9),
    "3:4": (3, 4),
    "2:3": (2, 3),
    "9:16": (9, 16),
}
SQUARE = "1:1"
# Sides are multiples of this part of the base's own side. Every kind of base takes such sides: what they ask
# for is a multiple of 16 or 32 pixels at 128 or 1,024, and of 64 at 512.
_PARTS = 8


def resolutions(base_side: int) -> list[int]:
    """Return the sides of squares that a base is offered at: its own first, then smaller and quicker ones.

    Above its own size a base repeats itself; larger pictures come from upscaling.
    """
    return [base_side, base_side * 3 // 4, base_side // 2]


def size_of(resolution: int, ratio: str, base_side: int) -> tuple[int, int]:
    """Return width and height in pixels of a ratio at a resolution, as multiples that the base takes."""
    across, down = RATIOS[ratio]
    multiple = max(1, base_side // _PARTS)
    stretch = math.sqrt(across / down)
    width, height = resolution * stretch, resolution / stretch
    return _rounded(width, multiple), _rounded(height, multiple)


def nearest_ratio(width: int, height: int) -> str:
    """Return the ratio that cuts least off a picture of this size."""
    shape = math.log(width / height)
    return min(RATIOS, key=lambda name: abs(math.log(RATIOS[name][0] / RATIOS[name][1]) - shape))


def _rounded(side: float, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple
