import numpy as np
import pytest

from engines.errors import DatasetError
from engines.metrics.memorisation import memorisation
from engines.metrics.nearest import NearestIndex, thumbnails


def pictures(count, seed):
    """Smooth random pictures of 32 pixels: 4 x 4 colours, enlarged."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def index_of(images):
    small = thumbnails(images)
    names = tuple(map(str, range(len(images))))
    spacings = NearestIndex(small, np.empty(0, np.float32), names).spacing_of(np.arange(len(images)))
    return NearestIndex(small, np.sort(spacings[np.isfinite(spacings)]), names)


def noisy(images, deviation):
    noise = np.random.default_rng(9).normal(0, deviation, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def index():
    return index_of(pictures(300, seed=0))


def test_several_datasets_count_as_one(index):
    first, second = (index_of(pictures(300, seed=0)[part]) for part in (slice(150), slice(150, 300)))
    whole = NearestIndex.of_all([first, second])
    assert (whole.thumbnails == index.thumbnails).all()
    assert whole.names == (*first.names, *second.names)
    assert memorisation(whole, noisy(pictures(300, seed=0), 20)) == memorisation(
        index, noisy(pictures(300, seed=0), 20)
    )
    assert NearestIndex.of_all([first]) is first


def test_fresh_pictures_are_at_the_floor(index):
    found = memorisation(index, pictures(300, seed=1))
    assert found.samples == 300
    assert found.share == pytest.approx(found.floor, abs=0.12)
    assert found.suspects == 0.0


def test_what_was_learnt_by_heart_is_near_one(index):
    found = memorisation(index, noisy(pictures(300, seed=0), 20))
    assert found.share > 0.99
    assert found.suspects > 0.99


def test_reversed_copies_count_as_well(index):
    assert memorisation(index, pictures(300, seed=0)[:, :, ::-1]).share == 1.0


def test_the_floor_is_the_share_of_pictures_that_are_nearest_to_each_other(index):
    small = index.thumbnails.astype(float)
    rows = small - small.mean(axis=1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    mirrored = rows.reshape(-1, 16, 16, 3)[:, :, ::-1].reshape(len(rows), -1)
    likeness = np.maximum(rows @ rows.T, mirrored @ rows.T)
    np.fill_diagonal(likeness, -1.0)
    nearest = likeness.argmax(axis=1)
    mutual = nearest[nearest] == np.arange(len(rows))
    assert memorisation(index, pictures(16, seed=1)).floor == pytest.approx(mutual.mean(), abs=0.01)


def test_copies_among_the_training_pictures_do_not_count(index):
    twice = index_of(np.concatenate([pictures(300, seed=0), pictures(300, seed=0)]))
    fresh = pictures(100, seed=1)
    assert memorisation(twice, fresh).share == memorisation(index, fresh).share


def test_too_few_pictures_are_not_measured(index):
    with pytest.raises(DatasetError, match="16 training pictures"):
        memorisation(index, pictures(15, seed=1))
    with pytest.raises(DatasetError, match="16 training pictures"):
        memorisation(index_of(pictures(8, seed=0)), pictures(16, seed=1))
    with pytest.raises(DatasetError, match="the same one"):
        memorisation(index_of(pictures(1, seed=0).repeat(20, axis=0)), pictures(16, seed=1))
