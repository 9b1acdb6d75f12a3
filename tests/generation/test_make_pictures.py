"""Making pictures: the job with the real engine."""

import hashlib
import io

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from catalog.files import materialise, weight_key
from catalog.services import delete_model
from engines.provenance import read
from engines.stylegan.generate import Generator
from generation import jobs as generation_jobs
from generation.models import Picture
from jobs import warm
from jobs.services import stop_job
from jobs.testing import run_pending


def stored_bytes(picture):
    with default_storage.open(picture.file) as stored:
        return stored.read()


def test_every_seed_becomes_the_engines_image(order, version):
    generation = order(seeds=[3, 1, 4])
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "succeeded"
    expected = Generator.load(materialise(version)).images([3, 1, 4], truncation_psi=0.7, batch_size=8)
    pictures = generation.pictures.order_by("index")
    assert [picture.seed for picture in pictures] == [3, 1, 4]
    for picture, pixels in zip(pictures, expected, strict=True):
        content = stored_bytes(picture)
        assert hashlib.sha256(content).hexdigest() == picture.sha256
        with Image.open(io.BytesIO(content)) as image:
            assert np.array_equal(np.asarray(image), pixels)
        assert (picture.width, picture.height) == (16, 16)


def test_files_say_where_they_come_from(made, version, owner):
    picture = made(seeds=[9])[0]
    record = read(io.BytesIO(stored_bytes(picture)))
    assert record.model == f"{version.model.address} v1"
    assert record.model_sha256 == version.weights_sha256
    assert record.settings == {"Seed": 9, "Truncation": 0.7, "Size": "16x16"}
    assert record.creator == owner.public_name
    assert record.credit == "Tiny by Ann"
    assert record.licence == "CC-BY-4.0"
    assert record.licence_url.startswith("https://")
    assert owner.email.encode() not in stored_bytes(picture)


def test_batches_are_shown_as_they_come(order, monkeypatch):
    """After each batch its pictures are there and the page's revision has moved."""
    monkeypatch.setattr(generation_jobs, "BATCH_SIZE", 2)
    generation = order(seeds=range(5))
    seen = []

    class Watching(Generator):
        def images(self, *arguments, **values):
            generation.job.refresh_from_db()
            seen.append((generation.pictures.count(), generation.job.rev))
            return super().images(*arguments, **values)

    monkeypatch.setattr(generation_jobs, "Generator", Watching)
    run_pending("generate")
    assert [count for count, _rev in seen] == [0, 2, 4]
    assert len({rev for _count, rev in seen}) == 3
    assert generation.pictures.count() == 5


def test_stopping_keeps_what_is_made(order, monkeypatch):
    monkeypatch.setattr(generation_jobs, "BATCH_SIZE", 2)
    generation = order(seeds=range(6))

    class Stopping(Generator):
        def images(self, *arguments, **values):
            stop_job(job=generation.job)
            return super().images(*arguments, **values)

    monkeypatch.setattr(generation_jobs, "Generator", Stopping)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "stopped"
    assert generation.pictures.count() == 2


def test_a_fault_is_tried_again_behind_the_finished_batches(order, monkeypatch):
    monkeypatch.setattr(generation_jobs, "BATCH_SIZE", 2)
    generation = order(seeds=range(6))
    calls = []

    class Faulty(Generator):
        def images(self, seeds, **values):
            calls.append(list(seeds))
            if len(calls) == 2:
                raise RuntimeError("out of luck")
            return super().images(seeds, **values)

    monkeypatch.setattr(generation_jobs, "Generator", Faulty)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "succeeded"
    assert calls == [[0, 1], [2, 3], [2, 3], [4, 5]]
    assert [picture.seed for picture in generation.pictures.order_by("index")] == list(range(6))
    attempts = {picture.file.split("/")[2] for picture in generation.pictures.all()}
    assert len(attempts) == 2


def test_two_orders_load_the_model_once(order):
    order(seeds=[1])
    order(seeds=[2])
    before = warm._models.loads
    run_pending("generate")
    assert warm._models.loads == before + 1
    assert Picture.objects.count() == 2


def test_deleted_model_fails_with_its_sentence(order, version):
    generation = order()
    delete_model(model=version.model)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "failed"
    assert "deleted" in generation.job.error


def test_altered_weights_fail_and_make_nothing(order, version):
    generation = order()
    key = weight_key(version.weights_sha256)
    default_storage.delete(key)
    default_storage.save(key, ContentFile(b"swapped"))
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "failed"
    assert "altered" in generation.job.error
    assert not Picture.objects.exists()


def test_pictures_survive_the_model(made, version):
    picture = made(seeds=[2])[0]
    delete_model(model=version.model)
    picture.refresh_from_db()
    assert picture.generation.model_version is None
    assert picture.provenance["model_sha256"] == version.weights_sha256
    assert stored_bytes(picture)


@pytest.mark.parametrize("psi", [0.0, 1.5])
def test_ends_of_the_truncation_range(made, psi):
    assert len(made(seeds=[1, 2], truncation_psi=psi)) == 2
