"""Which pictures a training shows, in which order."""

import numpy as np
import torch

from engines.stylegan.batches import RealImages

CPU = torch.device("cpu")


def batches(dataset, *, mirror=False, batch=4):
    return RealImages(dataset, batch=batch, seed=0, mirror=mirror, device=CPU)


def pixels(images):
    return ((images.numpy() + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)


def test_every_picture_is_shown_once_an_epoch(dataset):
    reals = batches(dataset)
    epochs = []
    for epoch in range(2):
        steps = range(3 * epoch, 3 * epoch + 3)
        shown = [
            image.tobytes() for step in steps for image in pixels(reals.part(step, 4 * step, slice(None)))
        ]
        epochs.append(shown)
    assert len(set(epochs[0])) == len(dataset)
    assert set(epochs[0]) == set(epochs[1])
    assert epochs[0] != epochs[1]


def test_mirroring_reverses_about_half(dataset):
    upright = {image.tobytes() for image in dataset.images}
    shown = pixels(batches(dataset, mirror=True, batch=12).part(0, 0, slice(None)))
    for image in shown:
        assert image.tobytes() in upright or np.ascontiguousarray(image[:, ::-1]).tobytes() in upright
    assert not all(image.tobytes() in upright for image in shown)


def test_parts_together_are_the_batch(dataset):
    reals = batches(dataset, mirror=True)
    whole = reals.part(5, 10, slice(None))
    parts = torch.empty_like(whole)
    for part in range(2):
        parts[part::2] = reals.part(5, 10, slice(part, None, 2))
    assert torch.equal(parts, whole)
