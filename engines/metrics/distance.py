"""Distances between sets of images, each told with its sample count and its floor."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

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

    |mean_a - mean_b|^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2)), Dowson and Landau 1982. With PyTorch's linear
    algebra, which keeps to the threads that the training has: NumPy's takes all cores, and where one of them
    is busy it waits for it a hundred times as long as it computes.
    """
    x, y = torch.from_numpy(a).double(), torch.from_numpy(b).double()
    covariance_x, covariance_y = x.T.cov(), y.T.cov()
    values, vectors = torch.linalg.eigh(covariance_x)
    root = (vectors * values.clip(min=0.0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_y @ root).clip(min=0.0).sqrt().sum()
    spread = covariance_x.trace() + covariance_y.trace() - 2.0 * cross
    between = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    return max(0.0, float(between + spread))


def kernel_distance(a: FloatArray, b: FloatArray) -> float:
    """1000 times the squared maximum mean discrepancy of `[N, D]` and `[M, D]`: unbiased, so perhaps below 0.

    With the kernel (x . y / D + 1)^3 of 1801.01401, section 4, and the estimator of Gretton et al. 2012,
    equation 3.
    """
    n, m = len(a), len(b)
    within_a, within_b, between = _cubic(a, a), _cubic(b, b), _cubic(a, b)
    mean_a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
    mean_b = (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
    return 1000.0 * float(mean_a + mean_b - 2.0 * between.mean())


def diversity(a: FloatArray) -> float:
    """Mean Euclidean distance between two different rows of `[N, D]`."""
    rows = a.astype(np.float64) - a.mean(axis=0, dtype=np.float64)
    squares = np.square(rows).sum(axis=1)
    gaps = np.sqrt((squares[:, None] + squares - 2.0 * rows @ rows.T).clip(min=0.0))
    np.fill_diagonal(gaps, 0.0)
    return float(gaps.sum() / (len(a) * (len(a) - 1)))


def _cubic(a: FloatArray, b: FloatArray) -> npt.NDArray[np.float64]:
    products = a.astype(np.float64) @ b.astype(np.float64).T
    kernel: npt.NDArray[np.float64] = (products / a.shape[1] + 1.0) ** 3
    return kernel
