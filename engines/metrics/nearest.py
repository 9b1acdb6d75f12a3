"""The training image that a generated one resembles most: a check against learning by heart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.images import UInt8Array

FloatArray = npt.NDArray[np.float64]
SIDE = 16  # compared at this size, where small shifts of fine detail no longer count


@dataclass(frozen=True)
class Nearest:
    """For each of N images: the index of the nearest training image, mirrored or not, and how far it is.

    `distance` is the root mean square difference in 0 to 255 at 16 x 16 pixels.
    """

    index: npt.NDArray[np.int64]
    distance: FloatArray


def nearest_training_images(images: UInt8Array, training: UInt8Array) -> Nearest:
    """For uint8 `[N, H, W, 3]`, search `[M, H, W, 3]` of the same size (a multiple of 16), mirrored too."""
    queries = _thumbnails(images)
    upright = _thumbnails(training)
    mirrored = upright.reshape(-1, SIDE, SIDE, 3)[:, :, ::-1].reshape(len(upright), -1)
    squares = np.minimum(_squared_distances(queries, upright), _squared_distances(queries, mirrored))
    index = squares.argmin(axis=1)
    closest = squares[np.arange(len(queries)), index]
    return Nearest(index.astype(np.int64), np.sqrt(closest / upright.shape[1]))


def _thumbnails(images: UInt8Array) -> FloatArray:
    count, height, width, channels = images.shape
    cells = images.reshape(count, SIDE, height // SIDE, SIDE, width // SIDE, channels)
    means: FloatArray = cells.mean(axis=(2, 4), dtype=np.float64)
    return means.reshape(count, -1)


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """|a - b|^2 for every pair, as `[N, M]`."""
    squares: FloatArray = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * (a @ b.T)
    return squares.clip(min=0.0)
