"""The losses of StyleGAN2: non-saturating logistic (1406.2661), R1 (1801.04406), path length (1912.04958)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from engines.stylegan.randomness import Draws

PATH_LENGTH_DECAY = 0.01


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-log(sigmoid(D(G(z)))), averaged: the generator wants its images called real. Logits `[N]` to `[]`."""
    return functional.softplus(-fake_logits).mean()


def discriminator_loss_on_fakes(logits: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(G(z)))), averaged. Logits `[N]` to `[]`."""
    return functional.softplus(logits).mean()


def discriminator_loss_on_reals(logits: Tensor) -> Tensor:
    """-log(sigmoid(D(x))), averaged. Logits `[N]` to `[]`."""
    return functional.softplus(-logits).mean()


def r1_penalty(discriminate: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Squared norm of the gradient of the logits at real images (1801.04406, equation 9 without gamma / 2).

    `images` `[N, 3, R, R]` to `[]`, the mean over the batch; differentiable with respect to the
    discriminator.
    """
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminate(images).sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def path_lengths(synthesize: Callable[[Tensor], Tensor], ws: Tensor, draws: Draws) -> Tensor:
    """How far images move for a small step in w: |J^T y| for random images y (1912.04958, section 3.2).

    `ws` `[N, num_ws, w_dim]` to `[N]`; differentiable with respect to the generator.
    """
    images = synthesize(ws)
    pixels = images.shape[2] * images.shape[3]
    direction = draws.normal(*images.shape) / pixels**0.5
    (gradient,) = torch.autograd.grad((images * direction).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: float) -> Tensor:
    """Mean squared deviation of `lengths` `[N]` from their running mean (1912.04958, equation 4), `[]`.

    `mean` stands for all earlier images; it moves after the step, by the lengths of the whole batch, and so
    does not depend on how a batch is split.
    """
    return (lengths - mean).square().mean()


def moved_path_length_mean(mean: float, lengths_mean: float) -> float:
    """The running mean after a batch whose mean length is `lengths_mean`."""
    return mean + PATH_LENGTH_DECAY * (lengths_mean - mean)
