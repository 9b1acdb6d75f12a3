"""Pictures from prompts: the job with the real engine and a tiny base."""

import hashlib
import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from catalog.files import materialise
from catalog.services import delete_model
from engines.diffusion.base import Base
from engines.diffusion.generate import TOLERANCE, Sample, generate
from engines.provenance import read
from generation import screens, stages
from generation.models import Picture
from generation.orders import Start
from jobs import warm
from jobs.files import list_keys
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.catalog.bases import publish_tiny_lora
from tests.wallets import give_credits


def pixels_of(picture):
    with default_storage.open(picture.file) as stored, Image.open(stored) as image:
        return np.asarray(image.convert("RGB"))


def levels(first, second):
    """The largest difference between two pictures, in levels of 255."""
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_every_seed_becomes_the_engines_picture(text_order, base):
    generation = text_order(seeds=[3, 1], negative_prompt="blue", guidance=2.0)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "succeeded"
    samples = [Sample(prompt="a red cat", negative_prompt="blue", seed=seed, guidance=2.0) for seed in (3, 1)]
    expected = generate(Base.open(materialise(base)), samples, width=32, height=32, steps=3)
    pictures = list(generation.pictures.order_by("index"))
    assert [picture.seed for picture in pictures] == [3, 1]
    for picture, pixels in zip(pictures, expected, strict=True):
        assert levels(pixels_of(picture), pixels) <= TOLERANCE
        assert (picture.width, picture.height) == (32, 32)
        with default_storage.open(picture.file) as stored:
            assert hashlib.sha256(stored.read()).hexdigest() == picture.sha256
