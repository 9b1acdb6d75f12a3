"""A Frechet distance between sets of images, told with its sample count and its floor."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.errors import DatasetError
from engines.images import FloatArray, UInt8Array
from engines.metrics.features import features

MIN_SAMPLES = 16


@dataclass(frozen=True, kw_only=True)
class Distance:
    """`value` between generated and real images; `floor` between two halves of the real ones, same count.

    Lower is closer. A value near the floor cannot be told from real images by these features.
    """

    value: float
    floor: float
    samples: int


def random_feature_distance(generated: UInt8Array, real: UInt8Array, *, seed: int = 0) -> Distance:
    """Compare uint8 `[N, H, W, 3]` with `[M, H, W, 3]`, using min(N, M / 2) of each.

    Raises DatasetError where that is fewer than `MIN_SAMPLES`.
    """
    samples = min(len(generated), len(real) // 2)
    if samples < MIN_SAMPLES:
        raise DatasetError(
            f"Measuring takes {MIN_SAMPLES} generated and {2 * MIN_SAMPLES} real images at least."
        )
    order = np.random.default_rng(seed).permutation(len(real))
    first, second = (features(real[np.sort(part[:samples])]) for part in np.array_split(order, 2))
    ours = features(generated[:samples])
    return Distance(value=frechet(ours, first), floor=frechet(second, first), samples=samples)


def frechet(a: FloatArray, b: FloatArray) -> float:
    """Squared Frechet (Wasserstein-2) distance between normal distributions fitted to `[N, D]` and `[M, D]`.

    |mean_a - mean_b|^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2)), Dowson and Landau 1982.
    """
    mean_a, mean_b = a.mean(axis=0, dtype=np.float64), b.mean(axis=0, dtype=np.float64)
    covariance_a, covariance_b = _covariance(a), _covariance(b)
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(min=0.0)).sum()
    spread = np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * cross
    return max(0.0, float(np.square(mean_a - mean_b).sum() + spread))


def _covariance(samples: FloatArray) -> npt.NDArray[np.float64]:
    return np.atleast_2d(np.cov(samples.astype(np.float64), rowvar=False))
