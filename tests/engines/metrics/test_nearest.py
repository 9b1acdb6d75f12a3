import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from engines.dataset import prepare
from engines.errors import DatasetError
from engines.metrics.nearest import NearestIndex, build_nearest_index, search, thumbnails
from engines.starters.drawings import draw


@pytest.fixture
def index(cats_dataset, tmp_path):
    path = tmp_path / "nearest.safetensors"
    build_nearest_index(cats_dataset, path)
    return path


def test_a_copy_is_found_even_mirrored_and_brightened(index, cats):
    brighter = np.clip(cats[11] * 1.04 + 6.0, 0, 255).astype(np.uint8)
    found = search(index, np.stack([cats[7], cats[9][:, ::-1], brighter]))
    assert found.index.tolist() == [7, 9, 11]
    assert found.names == ("07.png", "09.png", "11.png")
    np.testing.assert_allclose(found.distance[:2], 0.0, atol=2e-3)
    assert found.distance[2] < 0.08
    assert found.is_suspect.all()
    assert (found.closer_than == 1.0).all()


def test_a_fresh_drawing_is_no_copy(index):
    fresh = np.stack([np.asarray(draw("cats", number, 32)) for number in range(500, 524)])
    found = search(index, fresh)
    assert not found.is_suspect.any()
    assert 0.2 < found.closer_than.mean() < 0.8
    assert (found.distance > 0.05).all()


def test_the_distance_is_that_of_pictures_of_equal_brightness_and_contrast(index, cats):
    def stretched(image):
        small = thumbnails(image[None])[0].astype(float)
        return (small - small.mean()) / small.std()

    fresh = np.asarray(draw("cats", 777, 32))
    gaps = [
        np.sqrt(np.square(stretched(fresh) - stretched(np.asarray(cat))).mean())
        for pair in zip(cats, cats[:, :, ::-1], strict=True)
        for cat in pair
    ]
    found = search(index, fresh[None])
    assert found.index[0] == np.argmin(gaps) // 2
    assert found.distance[0] == pytest.approx(min(gaps), abs=1e-3)


def test_pictures_that_were_added_twice_do_not_spoil_the_measure(cats, tmp_path):
    for copy in range(2):
        for number, pixels in enumerate(cats[:40]):
            Image.fromarray(pixels).save(tmp_path / f"{copy}-{number}.png")
    pictures = [(path.name, path) for path in tmp_path.glob("*.png")]
    doubled = prepare(pictures, tmp_path / "prepared", resolution=32, crop="center")
    path = tmp_path / "index"
    build_nearest_index(doubled, path)
    assert len(NearestIndex.read(path).spacings) == 80
    assert search(path, cats[:3]).is_suspect.all()
    assert not search(path, cats[60:63]).is_suspect.any()


def test_a_single_flat_picture_is_searched_too(tmp_path):
    Image.new("RGB", (32, 32), (90, 90, 90)).save(tmp_path / "flat.png")
    dataset = prepare([("flat", tmp_path / "flat.png")], tmp_path / "prepared", resolution=32, crop="center")
    build_nearest_index(dataset, tmp_path / "index")
    found = search(tmp_path / "index", np.full((1, 32, 32, 3), 90, np.uint8))
    assert found.names == ("flat",)
    assert np.isfinite(found.distance).all()
    assert not found.is_suspect.any()  # nothing to compare with


def test_a_damaged_index_is_refused(index, cats):
    index.write_bytes(index.read_bytes()[:200])
    with pytest.raises(DatasetError, match="Build it again"):
        search(index, cats[:1])
    with pytest.raises(DatasetError):
        search(index.with_name("missing"), cats[:1])


def test_thumbnails_are_means():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    expected = images.reshape(3, 16, 4, 16, 4, 3).mean(axis=(2, 4)).reshape(3, -1)
    assert np.abs(thumbnails(images) - expected).max() <= 0.5


def test_searching_takes_no_torch():
    command = "import sys, engines.metrics.nearest; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
