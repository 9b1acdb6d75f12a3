import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from engines.stylegan import augment
from engines.stylegan.augment import Augmentation


def identity(count):
    return np.tile(np.eye(3), (count, 1, 1)), np.tile(np.eye(4), (count, 1, 1))


def checkerboard(size=16):
    cells = (torch.arange(size)[:, None] // 4 + torch.arange(size)[None] // 4) % 2
    return (cells * 2.0 - 1.0).expand(1, 3, size, size).clone()


def smooth(count=2, size=16):
    """Waves that an interpolation hardly changes."""
    x = torch.linspace(0, 6.28, size)
    image = torch.stack(
        [
            torch.sin(x)[:, None] * torch.cos(x / 2)[None],
            torch.cos(x)[None].expand(size, -1),
            x[:, None].expand(-1, size) / 7,
        ]
    )
    return image.expand(count, -1, -1, -1).clone()


def test_strength_zero_changes_nothing():
    images = torch.randn(4, 3, 16, 16)
    drawn = augment.draw(np.random.default_rng(0), 4, p=0.0, resolution=16)
    assert torch.equal(drawn.apply(images), images)


def test_the_same_generator_draws_the_same():
    first, second = (augment.draw(np.random.default_rng(3), 8, p=0.7, resolution=16) for _ in range(2))
    assert np.array_equal(first.geometry, second.geometry)
    assert np.array_equal(first.colour, second.colour)


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_the_share_of_untouched_images_follows_p(p):
    """Each of the transformations is left out with probability 1 - p; rotations together count as one."""
    drawn = augment.draw(np.random.default_rng(0), 20_000, p=p, resolution=64, colour=False)
    untouched = np.isclose(drawn.geometry, np.eye(3)).all(axis=(1, 2)).mean()
    # A flip or a quarter turn that was drawn can still be the neutral one.
    expected = (1 - p / 2) * (1 - 3 * p / 4) * (1 - p) ** 5
    assert untouched == pytest.approx(expected, abs=0.01)


def test_colour_and_rotation_can_be_switched_off():
    drawn = augment.draw(np.random.default_rng(0), 500, p=1.0, resolution=64, colour=False, rotation=False)
    assert np.array_equal(drawn.colour, np.tile(np.eye(4), (500, 1, 1)))
    assert np.allclose(drawn.geometry[:, 0, 1], 0.0)


def test_a_flip_reverses_the_picture():
    images = smooth()
    geometry, colour = identity(2)
    geometry[1, 0, 0] = -1.0
    result = Augmentation(geometry, colour).apply(images)
    assert torch.equal(result[0], images[0])
    torch.testing.assert_close(result[1], images[1].flip(2), atol=0.03, rtol=0.0)


def test_a_quarter_turn_turns_the_picture():
    images = smooth(1)
    geometry, colour = identity(1)
    geometry[0, :2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    result = Augmentation(geometry, colour).apply(images)
    turned = [images.rot90(times, (2, 3)) for times in (1, 3)]
    assert min((result - candidate).abs().max() for candidate in turned) < 0.03


def test_a_shift_moves_by_whole_pixels_and_mirrors_the_border():
    images = smooth(1)
    geometry, colour = identity(1)
    geometry[0, 0, 2] = 4 * 2 / 16
    result = Augmentation(geometry, colour).apply(images)
    torch.testing.assert_close(result[..., :12], images[..., 4:], atol=0.03, rtol=0.0)
    torch.testing.assert_close(result[..., 12:], images[..., 12:].flip(3), atol=0.05, rtol=0.0)


def test_brightness_and_contrast_are_affine_in_every_channel():
    images = checkerboard()
    _, colour = identity(1)
    colour[0, :3, :3] *= 0.5
    colour[0, :3, 3] = 0.25
    result = Augmentation(identity(1)[0], colour).apply(images)
    torch.testing.assert_close(result, images * 0.5 + 0.25)


def test_hue_and_saturation_leave_grey_alone():
    """Rotation about the grey axis and scaling away from it, whatever the angle."""
    rng = np.random.default_rng(1)
    matrices = augment._hue_rotation(rng.uniform(-3, 3, 50))
    grey = np.array([0.3, 0.3, 0.3, 1.0])
    assert np.allclose(matrices @ grey, grey)
    assert np.allclose(matrices[:, :3, :3] @ matrices[:, :3, :3].transpose(0, 2, 1), np.eye(3))


def test_resampling_has_two_derivatives():
    drawn = augment.draw(np.random.default_rng(4), 2, p=1.0, resolution=8)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert gradcheck(drawn.apply, images)
    assert gradgradcheck(lambda x: drawn.apply(x).square(), images)


def test_p_reaches_the_target_of_a_synthetic_discriminator():
    """A discriminator whose confidence falls with p settles where its confidence equals the target."""
    p = 0.0
    for _ in range(2000):
        p = augment.adjusted_p(p, signs_mean=1.0 - p, target=0.6, nimg=64, ada_kimg=10.0, p_max=0.8)
    assert p == pytest.approx(0.4, abs=0.02)


def test_p_stays_within_its_bounds():
    settings = {"target": 0.6, "nimg": 64, "ada_kimg": 0.1, "p_max": 0.8}
    assert augment.adjusted_p(0.7, signs_mean=1.0, **settings) == 0.8
    assert augment.adjusted_p(0.1, signs_mean=-1.0, **settings) == 0.0
    assert augment.adjusted_p(0.3, signs_mean=0.6, **settings) == 0.3
