import numpy as np
import pytest
from PIL import Image

from engines.dataset import prepare
from engines.starters.drawings import draw


@pytest.fixture(scope="session")
def cats():
    """Sixty-four drawn cats of 32 pixels."""
    return np.stack([np.asarray(draw("cats", index, 32)) for index in range(64)])


@pytest.fixture(scope="session")
def faces():
    return np.stack([np.asarray(draw("faces", index, 32)) for index in range(32)])


@pytest.fixture
def cats_dataset(cats, tmp_path):
    for index, pixels in enumerate(cats):
        Image.fromarray(pixels).save(tmp_path / f"{index:02d}.png")
    pictures = [(path.name, path) for path in sorted(tmp_path.glob("*.png"))]
    return prepare(pictures, tmp_path / "prepared", resolution=32, crop="center")
