"""Pictures from prompts: the job with the real engine and a tiny base."""

import hashlib
import io

import numpy as np
import pytest
import torch
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from catalog.files import materialise
from catalog.models import ModelVersion
from catalog.services import delete_model
from engines.diffusion import generate as engine
from engines.diffusion.base import Base
from engines.diffusion.generate import TOLERANCE, Sample, generate
from engines.provenance import read
from generation import checking, screens, stages, text_jobs
from generation.models import Picture, PromptStyle
from generation.orders import Start
from generation.services import delete_picture
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


def test_files_say_where_they_come_from_in_the_words_of_other_tools(text_order, base, adapter, owner):
    style = PromptStyle.objects.get(slug="emoji")
    generation = text_order(seeds=[9], adapter=adapter, adapter_strength=0.5, style=style, guidance=2.0)
    run_pending("generate")
    with default_storage.open(generation.pictures.get().file) as stored:
        content = stored.read()
    record = read(io.BytesIO(content))
    assert record.prompt == "a red cat, emoji"
    assert (record.model, record.model_sha256) == (f"{base.model.address} v1", base.sha256)
    lora = adapter.manifest["files"]["lora.safetensors"]
    assert record.settings == {
        "Steps": 3,
        "Sampler": "Euler",
        "CFG scale": 2.0,
        "Seed": 9,
        "Size": "32x32",
        "Style": "Emoji",
        "Lora hashes": f'"tiny-lora: {lora[:12]}"',
        "Lora": f"{adapter.model.address} v1",
        "Lora SHA-256": lora,
        "Lora strength": 0.5,
    }
    assert record.credit == "Mimochi by Ann; Tiny base by Bo"
    assert record.licence == f"{adapter.licence.name}; CC0-1.0"
    with Image.open(io.BytesIO(content)) as image:
        lines = image.info["parameters"].splitlines()
    assert lines[0] == "a red cat, emoji"
    assert lines[-1].startswith("Steps: 3, Sampler: Euler, CFG scale: 2.0, Seed: 9, Size: 32x32")
    assert owner.email.encode() not in content


def test_orders_of_two_people_go_through_the_base_together_and_equal_those_made_alone(
    text_order, base, adapter, stranger, tmp_path, monkeypatch
):
    """Each with a trained model of their own, in one batch: within the engine's tolerance of being alone."""
    give_credits(stranger, 1000)
    other = publish_tiny_lora(stranger, base, tmp_path / "other", name="other", keyword="ketapo", seed=7)
    asked = [{"adapter": adapter, "seeds": [1, 2]}, {"adapter": other, "seeds": [3], "by": stranger}]
    batches = []
    plain = stages.generate

    def counting(base, samples, **values):
        batches.append(len(samples))
        return plain(base, samples, **values)

    monkeypatch.setattr(stages, "generate", counting)
    alone = []
    for values in asked:
        generation = text_order(**values)
        run_pending("generate")
        alone += [pixels_of(picture) for picture in generation.pictures.order_by("index")]
    assert batches == [2, 1]
    orders = [text_order(**values) for values in asked]
    run_pending("generate")
    assert batches == [2, 1, 3]
    together = [pixels_of(picture) for order in orders for picture in order.pictures.order_by("index")]
    assert max(levels(*pair) for pair in zip(together, alone, strict=True)) <= TOLERANCE
    assert levels(alone[0], alone[2]) > 10
    for order in orders:
        order.job.refresh_from_db()
        assert (order.job.state, order.job.price_charged) == ("succeeded", 5 * order.count)


def test_sizes_and_steps_part_a_batch(text_order, monkeypatch):
    text_order(seeds=[1])
    text_order(seeds=[2], width=24, height=40)
    text_order(seeds=[3], steps=2)
    run_pending("generate")
    assert {(picture.width, picture.height) for picture in Picture.objects.all()} == {(32, 32), (24, 40)}
    assert {picture.provenance["settings"]["Steps"] for picture in Picture.objects.all()} == {2, 3}


def test_the_base_is_loaded_once(text_order):
    text_order(seeds=[1])
    run_pending("generate")
    before = warm._models.loads
    text_order(seeds=[2])
    run_pending("generate")
    assert warm._models.loads == before


def test_previews_come_on_the_way_and_are_gone_at_the_end(text_order, monkeypatch):
    monkeypatch.setattr(screens, "INTERVAL_SECONDS", 0)
    monkeypatch.setattr(screens, "_KEPT", 1)
    generation = text_order(seeds=[1, 2, 3])
    seen = []
    plain = screens.Screen._report

    def noting(self, *arguments):
        plain(self, *arguments)
        [key] = [key for key in list_keys("jobs") if "preview" in key]
        with default_storage.open(key) as stored, Image.open(stored) as image:
            seen.append((image.size, image.format))
        generation.job.refresh_from_db()
        assert generation.job.progress["preview"] == key

    monkeypatch.setattr(screens.Screen, "_report", noting)
    run_pending("generate")
    assert seen == [((96, 32), "WEBP")] * 2  # after the third step the images themselves come
    assert sorted(list_keys("jobs")) == sorted(picture.file for picture in generation.pictures.all())


@pytest.mark.parametrize(("interval", "steps", "decoded"), [(0, 4, 3), (3600, 4, 1), (0, 1, 0)])
def test_previews_are_decoded_only_to_be_shown(text_order, monkeypatch, interval, steps, decoded):
    """One an interval, and none of the last step, after which the image itself comes."""
    monkeypatch.setattr(screens, "INTERVAL_SECONDS", interval)
    calls, plain = [], engine.preview

    def counted(base, latents):
        calls.append(len(latents))
        return plain(base, latents)

    monkeypatch.setattr(engine, "preview", counted)
    text_order(seeds=[1, 2], steps=steps)
    run_pending("generate")
    assert calls == [2] * decoded


def test_stopping_keeps_what_is_made_and_charges_for_it(text_order, monkeypatch):
    monkeypatch.setattr(text_jobs, "AT_ONCE", 2)
    generation = text_order(seeds=range(5))
    plain = screens.Screen.begin

    def begin(self, done):
        if done == 2:
            stop_job(job=generation.job)
        return plain(self, done)

    monkeypatch.setattr(screens.Screen, "begin", begin)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.state == "stopped"
    assert generation.pictures.count() == 2
    assert (generation.job.price_charged, generation.job.price_held) == (10, 25)


def test_an_order_that_stops_in_the_middle_of_a_batch_costs_the_others_nothing(text_order, monkeypatch):
    """Of three orders one is done, one goes on where it is, and the one between them ends at once."""
    monkeypatch.setattr(stages, "AT_ONCE", 2)
    monkeypatch.setattr(screens, "INTERVAL_SECONDS", 0.0)
    first, stopping, going = text_order(seeds=[1]), text_order(seeds=[2, 3]), text_order(seeds=[4])
    orders = (first, stopping, going)
    seen, calls = [], []
    show, plain = screens.Screen.show, stages.generate

    def watched(self, step, *arguments):
        if len(calls) == 2 and self._context.job_id == stopping.job_id:
            stop_job(job=stopping.job)
        if self._context.job_id == going.job_id:
            seen.append([order.job.state for order in orders if order.job.refresh_from_db() is None])
        return show(self, step, *arguments)

    def counted(base, samples, **values):
        calls.append([sample.seed for sample in samples])
        return plain(base, samples, **values)

    monkeypatch.setattr(screens.Screen, "show", watched)
    monkeypatch.setattr(stages, "generate", counted)
    run_pending("generate")
    for order in orders:
        order.job.refresh_from_db()
    assert [order.job.state for order in orders] == ["succeeded", "stopped", "succeeded"]
    assert [order.pictures.count() for order in orders] == [1, 0, 1]
    assert [order.job.price_charged for order in orders] == [5, 0, 5]
    assert calls == [[1, 2], [3, 4]]
    assert seen[0] == ["running", "running", "running"]
    assert seen[-1] == ["succeeded", "stopped", "running"]


def test_an_order_that_was_served_and_wants_more_can_be_stopped_meanwhile(text_order, monkeypatch):
    monkeypatch.setattr(text_jobs, "AT_ONCE", 1)
    monkeypatch.setattr(stages, "AT_ONCE", 1)
    monkeypatch.setattr(screens, "INTERVAL_SECONDS", 0.0)
    long, other = text_order(seeds=[1, 2]), text_order(seeds=[3])
    show = screens.Screen.show

    def watched(self, *arguments):
        if self._context.job_id == long.job_id and long.pictures.exists():
            stop_job(job=long.job)
        return show(self, *arguments)

    monkeypatch.setattr(screens.Screen, "show", watched)
    run_pending("generate")
    for order in (long, other):
        order.job.refresh_from_db()
    assert (long.job.state, long.pictures.count(), long.job.price_charged) == ("stopped", 1, 5)
    assert (other.job.state, other.pictures.count()) == ("succeeded", 1)


def test_a_fault_is_tried_again_behind_what_is_finished(text_order, monkeypatch):
    monkeypatch.setattr(text_jobs, "AT_ONCE", 2)
    generation = text_order(seeds=range(3))
    plain, calls = stages.generate, []

    def faulty(base, samples, **values):
        calls.append([sample.seed for sample in samples])
        if len(calls) == 2:
            raise RuntimeError("out of luck")
        return plain(base, samples, **values)

    monkeypatch.setattr(stages, "generate", faulty)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert (generation.job.state, generation.job.price_charged) == ("succeeded", 15)
    assert calls == [[0, 1], [2], [2]]
    assert [picture.seed for picture in generation.pictures.order_by("index")] == [0, 1, 2]


def test_from_a_picture_and_inside_a_mask(text_order, noise):
    mask = np.zeros((32, 32), np.uint8)
    mask[8:16, 8:16] = 255
    whole = text_order(seeds=[1], start=Start(image=png(noise)), strength=0.7)
    inside = text_order(seeds=[1], start=Start(image=png(noise), mask=png(mask)), strength=0.7)
    assert (whole.kind, inside.kind) == ("image", "inpaint")
    run_pending("generate")
    changed, kept = pixels_of(whole.pictures.get()), pixels_of(inside.pictures.get())
    assert levels(changed, noise) > 10
    np.testing.assert_array_equal(kept[mask == 0], noise[mask == 0])
    assert levels(kept, noise) > 10
    assert inside.pictures.get().provenance["settings"]["Denoising strength"] == 0.7


def test_a_deleted_base_fails_with_its_sentence_and_costs_nothing(text_order, base):
    generation = text_order()
    delete_model(model=base.model)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert (generation.job.state, generation.job.price_charged) == ("failed", 0)
    assert "The base model was deleted" in generation.job.error


def test_a_deleted_trained_model_is_named(text_order, adapter):
    generation = text_order(adapter=adapter)
    delete_model(model=adapter.model)
    run_pending("generate")
    generation.job.refresh_from_db()
    assert (generation.job.state, generation.job.price_charged) == ("failed", 0)
    assert "“Tiny lora” was deleted" in generation.job.error


def test_a_trained_model_that_does_not_fit_fails_alone(text_order, adapter, owner, base, tmp_path):
    """Its file names other weights than its page does; who shares the batch is served."""
    liar = publish_tiny_lora(owner, other_weights(base), tmp_path / "liar", name="liar")
    wrong, right = text_order(adapter=liar), text_order(adapter=adapter)
    run_pending("generate")
    wrong.job.refresh_from_db()
    right.job.refresh_from_db()
    assert wrong.job.state == "failed"
    assert wrong.job.price_charged == 0
    assert right.job.state == "succeeded"


def other_weights(base):
    """The same base as it would be with other weights; not saved."""
    copy = ModelVersion(model=base.model, sha256=base.sha256, source=base.source, licence=base.licence)
    copy.manifest = {**base.manifest, "fingerprint": "0" * 64}
    return copy


def test_a_whole_order_may_count_as_one_generation(text_order, settings):
    settings.GENERATION_UNIT = "order"
    generation = text_order(seeds=range(3))
    assert generation.job.price_held == 5
    run_pending("generate")
    generation.job.refresh_from_db()
    assert generation.job.price_charged == 5


def test_with_the_last_picture_goes_what_it_started_from(
    text_order, noise, django_capture_on_commit_callbacks
):
    generation = text_order(seeds=[1, 2], start=Start(image=png(noise)))
    run_pending("generate")
    first, second = generation.pictures.all()
    with django_capture_on_commit_callbacks(execute=True):
        delete_picture(picture=first)
    assert default_storage.exists(generation.source_file)
    with django_capture_on_commit_callbacks(execute=True):
        delete_picture(picture=second)
    assert list_keys("starts") == []


@pytest.mark.parametrize("is_on", [True, False])
def test_prompts_are_logged_only_where_that_is_asked_for(text_order, settings, caplog, is_on):
    settings.PROMPT_LOG = is_on
    with caplog.at_level("DEBUG"):
        text_order(prompt="a secret garden")
        run_pending("generate")
    assert ("a secret garden" in caplog.text) is is_on


@pytest.fixture
def checker(monkeypatch, settings):
    """A checker that refuses bright pictures, in place of a classifier's folder; the rest is real."""
    settings.CHECKER_DIR = "set"

    class Bright:
        model = torch.nn.Identity()
        limit = 256.0

        def flagged(self, pictures):
            return ["bright" if picture.mean() > self.limit else None for picture in pictures]

    bright = Bright()
    monkeypatch.setattr(checking, "_open", lambda device: bright)
    return bright


def test_what_the_content_checker_refuses_is_neither_kept_nor_charged(text_order, checker, owner_client):
    first = text_order(seeds=[1, 2, 3])
    run_pending("generate")
    means = [pixels_of(picture).mean() for picture in first.pictures.order_by("index")]
    checker.limit = (sorted(means)[1] + sorted(means)[2]) / 2
    second = text_order(seeds=[1, 2, 3])
    run_pending("generate")
    second.refresh_from_db()
    second.job.refresh_from_db()
    assert second.refused == [means.index(max(means))]
    assert (second.job.state, second.job.price_charged, second.pictures.count()) == ("succeeded", 10, 2)
    assert len(list_keys("jobs")) == 5
    page = owner_client.get(reverse("generation:generation_detail", args=[second.pk])).content.decode()
    assert "content checker of this studio refused 1 image" in page
    assert "of 3 images are here" not in page


def test_a_checker_that_does_not_work_keeps_nothing(text_order, settings, tmp_path):
    settings.CHECKER_DIR = str(tmp_path)
    generation = text_order(seeds=[1])
    run_pending("generate")
    generation.job.refresh_from_db()
    assert (generation.job.state, generation.job.price_charged) == ("failed", 0)
    assert "content checker" in generation.job.error
    assert not list_keys("jobs")
