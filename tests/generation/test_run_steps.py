"""Text to Image where any model is run: alone, at the start of a chain, and on what another model gave."""

import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from catalog.models import Chain, ModelRun, RunResult, Workspace
from catalog.services.runs import ItemOrder, StepOrder, start_run
from catalog.services.workspaces import ChainStepOrder, add_model, save_chain
from engines.provenance import COMPOSITE, Provenance, read, write_png
from generation.models import BlockedWord
from jobs.models import State
from jobs.testing import run_pending
from tests.catalog.onnx_models import publish_doubler, publish_painter
from tests.wallets import give_credits

PROMPT = {"prompt": "mimochi cat", "strength": 0.5, "seed": 3}


def form_url(version):
    return reverse("catalog:run_create", args=[version.model.owner.handle, version.model.name])


def png(size=(24, 24), record=None) -> bytes:
    buffer = io.BytesIO()
    write_png(Image.new("RGB", size, (200, 40, 40)), buffer, record or Provenance())
    return buffer.getvalue()


def record_of(result: RunResult) -> Provenance:
    with default_storage.open(result.file) as stored:
        return read(stored)


@pytest.fixture(autouse=True)
def _credits(owner):
    give_credits(owner, 1000)


def test_a_base_is_run_from_its_page(owner_client, owner, base):
    page = owner_client.get(form_url(base)).content.decode()
    assert 'name="prompt"' in page
    assert 'name="files"' in page
    assert f"?base={base.model.address}" in page
    response = owner_client.post(form_url(base), {**PROMPT, "count": 2})
    assert response.status_code == 302, response.content.decode()
    (job,) = run_pending("generate")
    assert job.state == State.SUCCEEDED, job.error
    first, second = RunResult.objects.order_by("item__position")
    assert record_of(first).prompt == "mimochi cat"
    assert record_of(first).settings["seed"] == 3
    assert record_of(second).settings["seed"] == 4
    assert record_of(first).source_type == ""
    assert ModelRun.objects.get().size_bytes > 100


def test_a_trained_model_starts_from_a_picture_and_names_those_behind_it(owner, base, adapter):
    given = Provenance(credit="Cats by Cleo", licence="CC-BY-4.0")
    file = ContentFile(png(record=given), name="cat.png")
    steps = [StepOrder(version=adapter, settings=PROMPT)]
    run = start_run(owner=owner, steps=steps, items=[ItemOrder(name="cat.png", file=file)])
    (job,) = run_pending("generate")
    assert job.state == State.SUCCEEDED, job.error
    record = record_of(RunResult.objects.get(item__run=run))
    assert record.source_type == COMPOSITE
    for line in ("Mimochi by Ann", "Tiny base by Bo", "Cats by Cleo"):
        assert line in record.credit
    assert "CC-BY-4.0" in record.licence


def test_it_is_a_step_of_a_chain_with_settings_of_its_own(owner_client, owner, base, tmp_path):
    doubler = publish_doubler(owner, tmp_path / "doubler")
    painter = publish_painter(owner, tmp_path / "painter")
    workspace = Workspace.objects.create(owner=owner, name="Beach")
    for version in (doubler, base, painter):
        add_model(workspace=workspace, model=version.model)
    chain = save_chain(
        workspace=workspace,
        name="Again",
        steps=[ChainStepOrder(version=version) for version in (doubler, base, painter)],
    )
    url = reverse("catalog:chain_detail", args=[chain.pk])
    page = owner_client.get(url).content.decode()
    assert "Step 2: Tiny base" in page
    assert "Step 3" not in page

    response = owner_client.post(url, {"files": SimpleUploadedFile("a.png", png())})
    assert response.status_code == 422
    values = {f"step2-{name}": value for name, value in PROMPT.items()}
    assert owner_client.post(url, {**values, "keep": "1"}).status_code == 302
    assert Chain.objects.get().steps.get(position=1).settings["prompt"] == "mimochi cat"
    assert "mimochi cat</textarea>" in owner_client.get(url).content.decode()

    response = owner_client.post(url, {**values, "files": SimpleUploadedFile("a.png", png())})
    assert response.status_code == 302
    (job,) = run_pending("generate")
    assert job.state == State.SUCCEEDED, job.error
    larger, made, colour = RunResult.objects.order_by("step__position")
    assert larger.width == 48
    record = record_of(made)
    assert record.prompt == "mimochi cat"
    assert record.settings["Step 1 model"] == f"{doubler.model.address} v1"
    assert record.source_type == COMPOSITE
    assert colour.kind == "labels"


def test_refused_words_cost_nothing_wherever_they_come_from(owner_client, owner, base):
    BlockedWord.objects.create(text="forbidden")
    response = owner_client.post(form_url(base), {**PROMPT, "prompt": "a forbidden cat", "count": 1})
    assert response.status_code == 422
    assert "makes no images of “forbidden”" in response.content.decode()
    settings = {**PROMPT, "prompt": "a forbidden cat"}
    start_run(owner=owner, steps=[StepOrder(version=base, settings=settings)], items=[ItemOrder()])
    (job,) = run_pending("generate")
    assert job.state == State.FAILED
    assert "forbidden" in job.error
    assert job.price_charged == 0


def test_a_trained_model_without_its_base_is_not_ordered(owner_client, base, adapter):
    base.model.visibility = "private"
    base.model.save()
    response = owner_client.post(form_url(adapter), {**PROMPT, "count": 1})
    assert response.status_code == 422
    assert "base of this trained model is not in this studio" in response.content.decode()


def test_results_of_runs_are_sent_to_text_to_image(owner_client, owner, base, tmp_path, client, stranger):
    doubler = publish_doubler(owner, tmp_path / "doubler", attribution="Doubler by Dee")
    item = ItemOrder(name="a.png", file=ContentFile(png(), name="a.png"))
    start_run(owner=owner, steps=[StepOrder(version=doubler, settings={})], items=[item])
    run_pending("generate")
    source = f"result:{RunResult.objects.get().pk}"
    page = owner_client.get(reverse("catalog:run_send"), {"source": source}).content.decode()
    address = f"{reverse('generation:generation_create')}?sent={source.replace(':', '%3A')}"
    assert address in page
    form = owner_client.get(address).content.decode()
    assert "Start from the picture that you sent here" in form
    sent = reverse("catalog:run_sent")
    picture = owner_client.get(sent, {"source": source})
    assert picture["Content-Type"] == "image/png"
    picture.getvalue()  # closes the file
    order = {"base": base.model.address, "prompt": "a cat", "count": 1, "steps": 2, "sent": source}
    assert owner_client.post(reverse("generation:generation_create"), order).status_code == 302
    (job,) = run_pending("generate")
    assert job.state == State.SUCCEEDED, job.error
    assert job.generation.kind == "image"
    assert "Doubler by Dee" in job.generation.pictures.get().provenance["credit"]

    client.force_login(stranger)
    assert client.get(sent, {"source": source}).status_code == 404
    order |= {"base": base.model.address}
    assert client.post(reverse("generation:generation_create"), order).status_code == 422
