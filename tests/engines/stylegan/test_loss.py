"""The losses against closed forms."""

import pytest
import torch

from engines.stylegan import loss
from engines.stylegan.randomness import Draws


def draws(seed=1):
    return Draws(torch.Generator().manual_seed(seed))


def test_losses_are_their_formulas():
    logits = torch.tensor([-1.0, 2.0])
    expected = -torch.log(torch.sigmoid(logits)).mean()
    torch.testing.assert_close(loss.generator_loss(logits), expected)
    torch.testing.assert_close(loss.discriminator_loss_on_reals(logits), expected)
    expected = -torch.log(1 - torch.sigmoid(logits)).mean()
    torch.testing.assert_close(loss.discriminator_loss_on_fakes(logits), expected)


def test_r1_of_a_quadratic_discriminator():
    """D(x) = x^T M x / 2 + b^T x with symmetric M has the gradient M x + b."""
    rng = torch.Generator().manual_seed(0)
    half = torch.randn(48, 48, generator=rng)
    matrix = half + half.t()
    bias = torch.randn(48, generator=rng, requires_grad=True)
    images = torch.randn(5, 3, 4, 4, generator=rng)

    def discriminate(given):
        x = given.flatten(1)
        return ((x @ matrix) * x).sum(1) / 2 + x @ bias

    penalty = loss.r1_penalty(discriminate, images)
    gradients = images.flatten(1) @ matrix + bias
    torch.testing.assert_close(penalty, gradients.square().sum(1).mean())
    (by_bias,) = torch.autograd.grad(penalty, bias)
    torch.testing.assert_close(by_bias, 2 * gradients.detach().mean(0), rtol=1e-4, atol=1e-4)


def test_path_length_of_a_linear_generator():
    """Images A (w_1 + w_2) have J^T y = A^T y for each of the two; the mean is over them."""
    matrix = torch.randn(48, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    ws = torch.randn(3, 2, 5, requires_grad=True)
    lengths = loss.path_lengths(lambda given: (given.sum(1) @ matrix.t()).view(-1, 3, 4, 4), ws, draws())
    directions = draws().normal(3, 3, 4, 4).flatten(1) / 4
    expected = (directions @ matrix).norm(dim=1)
    torch.testing.assert_close(lengths, expected)

    penalty = loss.path_length_penalty(lengths, 0.5)
    torch.testing.assert_close(penalty, (expected - 0.5).square().mean())
    (gradient,) = torch.autograd.grad(penalty, matrix)
    weights = (2 * (expected - 0.5) / expected / 3).detach()
    closed_form = (directions * weights[:, None]).t() @ (directions @ matrix.detach())
    torch.testing.assert_close(gradient, closed_form, rtol=1e-4, atol=1e-5)


def test_path_lengths_of_noise_have_the_stated_scale():
    """For images A w and random y of variance 1 / pixels, the mean of |A^T y|^2 is |A|^2 / pixels."""
    matrix = torch.randn(48, 5, generator=torch.Generator().manual_seed(0))
    ws = torch.randn(2000, 1, 5, requires_grad=True)
    lengths = loss.path_lengths(lambda given: (given[:, 0] @ matrix.t()).view(-1, 3, 4, 4), ws, draws())
    torch.testing.assert_close(lengths.square().mean(), matrix.square().sum() / 16, rtol=0.05, atol=0.0)


def test_the_running_mean_of_path_lengths_moves_by_a_hundredth():
    assert loss.moved_path_length_mean(1.0, 3.0) == pytest.approx(1.02)
