"""Making a picture larger: the job with the shipped network, and with models that cannot do it."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image, ImageOps

from catalog.models import RunTiming
from catalog.services import delete_model
from engines.images import UInt8Array
from engines.provenance import read
from generation import upscale_jobs
from generation.exceptions import CannotUpscaleError
from generation.models import Picture
from generation.orders import Start
from generation.services import delete_picture
from generation.text_services import start_larger_copy, start_upscale
from generation.upscaling import plan_upscale, possible_upscales
from jobs.files import list_keys
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.wallets import give_credits


def pixels_of(picture: Picture) -> UInt8Array:
    with default_storage.open(picture.file) as stored, Image.open(stored) as image:
        return np.asarray(image.convert("RGB"))


def drawing(side: int) -> Image.Image:
    """Discs with clear edges on a coloured ground."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    pixels = np.full((side, side, 3), (240, 220, 180), np.uint8)
    for x, y, radius, colour in ((0.35, 0.4, 0.25, (200, 40, 60)), (0.65, 0.6, 0.2, (30, 90, 200))):
        pixels[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = colour
    return Image.fromarray(pixels)


def psnr(one: UInt8Array, other: UInt8Array) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.fixture
def enlarge(owner, upscaler):
    """Return a function that has a picture made larger as if somebody had brought it."""
    give_credits(owner, 100)

    def make(image: Image.Image, factor: int = 2):
        encoded = io.BytesIO()
        image.save(encoded, format="PNG")
        upscale = plan_upscale(owner, *image.size, factor)
        return start_larger_copy(owner=owner, upscale=upscale, start=Start(image=encoded.getvalue()))

    return make


@pytest.mark.parametrize("factor", [2, 4])
def test_it_is_larger_and_better_than_plain_enlarging(enlarge, factor):
    whole = drawing(256)
    small = whole.resize((256 // factor, 256 // factor), Image.Resampling.BICUBIC)
    order = enlarge(small, factor)
    assert order.job.price_held == 5
    run_pending("generate")
    order.job.refresh_from_db()
    assert (order.job.state, order.job.price_charged) == ("succeeded", 5)
    made = pixels_of(order.pictures.get())
    assert made.shape == (256, 256, 3)
    plain = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC))
    assert psnr(made, np.asarray(whole)) > psnr(plain, np.asarray(whole)) + 1


def test_any_shape_stays_as_it_is(enlarge):
    order = enlarge(ImageOps.fit(drawing(64), (41, 23)))
    run_pending("generate")
    made = order.pictures.get()
    assert (made.width, made.height) == (82, 46)
    assert made.provenance["settings"]["Size"] == "82x46"
    assert made.provenance["model"] == "atelier/enlarge-2x v1"
    assert made.provenance["source_type"] == "compositeWithTrainedAlgorithmicMedia"


def test_a_gallery_picture_keeps_what_made_it_and_owes_to_both(text_order, upscaler, owner):
    text_order(seeds=[4], steps=3)
    run_pending("generate")
    original = Picture.objects.get()
    larger = start_upscale(owner=owner, picture=original)
    assert (larger.prompt, larger.seeds, larger.source_picture) == ("a red cat", [4], original)
    run_pending("generate")
    made = larger.pictures.get()
    with default_storage.open(made.file) as stored:
        record = read(stored)
    assert record.prompt == "a red cat"
    assert record.model == original.provenance["model"]
    assert record.settings == {
        **original.provenance["settings"],
        "Postprocess upscale by": 2,
        "Postprocess upscaler": "atelier/enlarge-2x v1",
        "Upscaler SHA-256": upscaler.weights_sha256,
        "Init image SHA-256": original.sha256,
    }
    assert record.settings["Size"] == "32x32"
    assert record.credit.startswith("Tiny base by Bo; Noto Emoji")
    assert record.licence == "CC0-1.0; Apache-2.0"
    assert record.run == str(larger.job_id)
    assert record.signature != original.provenance["signature"]


def test_what_took_how_long_is_told_on_the_models_page(enlarge, upscaler):
    enlarge(drawing(32), 4)
    run_pending("generate")
    [timing] = RunTiming.objects.filter(version=upscaler)
    assert timing.seconds > 0


def test_what_is_possible_depends_on_the_size(owner, upscaler, settings):
    def factors(width, height):
        return [one.factor for one in possible_upscales(owner, width, height)]

    assert factors(512, 100) == [2, 4]
    assert factors(100, 1024) == [2]
    with pytest.raises(CannotUpscaleError, match="up to 1024 × 1024 pixels"):
        factors(1025, 10)
    settings.UPSCALE_SIDE_MAX = 8192  # the network itself shrinks what is longer than 1,024
    assert factors(1024, 1024) == [2]
    with pytest.raises(CannotUpscaleError, match="up to 512 × 512 pixels are made 4 times as large"):
        plan_upscale(owner, 513, 2, 4)


def test_without_the_network_it_says_who_can_help(text_order, owner):
    text_order(seeds=[4])
    run_pending("generate")
    with pytest.raises(CannotUpscaleError, match="“atelier/enlarge-2x”, is not here"):
        start_upscale(owner=owner, picture=Picture.objects.get())


def test_a_model_that_does_something_else_costs_nothing(enlarge):
    order = enlarge(drawing(16))
    order.settings["width"] += 1  # what it gives is not what was planned
    order.save()
    run_pending("generate")
    order.job.refresh_from_db()
    assert (order.job.state, order.job.price_charged) == ("failed", 0)
    assert "does not make pictures twice as large" in order.job.error
    assert not order.pictures.exists()


def test_a_model_or_picture_that_is_gone_is_named_and_costs_nothing(enlarge, upscaler):
    one, other = enlarge(drawing(16)), enlarge(drawing(24))
    default_storage.delete(one.source_file)
    run_pending("generate")
    last = enlarge(drawing(16))
    delete_model(model=upscaler.model)
    run_pending("generate")
    for order, sentence in ((one, "file of this image is gone"), (last, "The model was deleted")):
        order.job.refresh_from_db()
        assert (order.job.state, order.job.price_charged) == ("failed", 0)
        assert sentence in order.job.error
    assert other.pictures.count() == 1


def test_stopped_between_two_passes_nothing_is_made(enlarge, monkeypatch):
    order = enlarge(drawing(16), 4)
    doubled = upscale_jobs._doubled

    def and_stop(*arguments):
        stop_job(job=order.job)
        return doubled(*arguments)

    monkeypatch.setattr(upscale_jobs, "_doubled", and_stop)
    run_pending("generate")
    order.job.refresh_from_db()
    assert (order.job.state, order.job.price_charged) == ("stopped", 0)
    assert not order.pictures.exists()


def test_the_content_checker_looks_at_it(enlarge, monkeypatch):
    monkeypatch.setattr(upscale_jobs, "refused_places", lambda _pictures, device: {0})
    order = enlarge(drawing(16))
    run_pending("generate")
    order.job.refresh_from_db()
    order.refresh_from_db()
    assert (order.job.state, order.job.price_charged, order.refused) == ("succeeded", 0, [0])
    assert [key for key in list_keys("jobs") if key.endswith(".png")] == []


def test_with_the_larger_copy_goes_what_it_was_made_from(enlarge, django_capture_on_commit_callbacks):
    order = enlarge(drawing(16))
    run_pending("generate")
    with django_capture_on_commit_callbacks(execute=True):
        delete_picture(picture=order.pictures.get())
    assert list_keys("starts") == []
