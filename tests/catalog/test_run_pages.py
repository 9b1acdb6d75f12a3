"""Pages of runs: the form that a manifest makes, what came out, downloads, sending on."""

import csv
import io
import json
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.urls import reverse
from PIL import Image

from billing.models import CreditAccount
from catalog.models import ModelRun, ModelVersion, RunItem, RunResult
from catalog.run_forms import RunForm
from catalog.services.runs import ItemOrder, StepOrder, start_run
from generation.models import Picture
from jobs.models import Job, State
from jobs.progress import read_progress
from tests.catalog.onnx_models import publish_doubler, publish_painter
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.wallets import give_credits
from tests.world import build_world

pytestmark = pytest.mark.usefixtures("licences")


def upload(name="a.png") -> SimpleUploadedFile:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (9, 99, 200)).save(buffer, "PNG")
    return SimpleUploadedFile(name, buffer.getvalue(), "image/png")


@pytest.fixture
def painter(owner, tmp_path):
    return publish_painter(owner, tmp_path / "painter")


def form_url(version):
    return reverse("catalog:run_create", args=[version.model.owner.handle, version.model.name])


def done(run: ModelRun) -> ModelRun:
    Job.objects.filter(pk=run.job_id).update(state=State.SUCCEEDED)
    return ModelRun.objects.get(pk=run.pk)


@pytest.fixture
def run(owner, painter) -> ModelRun:
    """A run whose first item has labels and whose second one could not be used."""
    made = start_run(
        owner=owner,
        steps=[StepOrder(version=painter, settings={})],
        items=[ItemOrder(name="=cmd.png", file=upload()), ItemOrder(name="bad.png", file=upload())],
    )
    first, second = made.items.order_by("position")
    labels = [{"label": "red", "score": 0.93}, {"label": "<b>green</b>", "score": 0.05}]
    RunResult.objects.create(item=first, step=made.steps.get(), output="colour", kind="labels", value=labels)
    RunItem.objects.filter(pk=second.pk).update(error="This picture is damaged.", file="")
    return done(made)


def test_form_is_made_of_the_inputs_and_the_price_is_on_the_button(owner_client, version, painter):
    page = owner_client.get(form_url(version)).content.decode()
    assert 'name="seed"' in page
    assert 'name="truncation_psi"' in page
    assert 'name="count"' in page
    assert "Run once, 5 credits" in " ".join(page.split())
    page = owner_client.get(form_url(painter)).content.decode()
    assert 'name="files"' in page
    assert "multiple" in page
    assert "1 credit for each picture" in page


def test_price_follows_the_number(owner_client, version):
    headers = {"HX-Request": "true", "HX-Target": "run-button"}
    page = owner_client.get(form_url(version), {"count": 3}, headers=headers).content.decode()
    assert "Run 3 times, 15 credits" in " ".join(page.split())
    for nonsense in ("0", "99", "x", "-1"):
        assert owner_client.get(form_url(version), {"count": nonsense}, headers=headers).status_code == 200


def test_seeds_are_ordered(owner_client, owner, version):
    response = owner_client.post(form_url(version), {"seed": 7, "truncation_psi": 0.7, "count": 3})
    run = ModelRun.objects.get()
    assert response.url == reverse("catalog:run_detail", args=[run.pk])
    assert run.steps.get().settings == {"seed": 7, "truncation_psi": 0.7}
    assert run.items.count() == 3
    assert CreditAccount.objects.get(user=owner).held == 15


@pytest.mark.parametrize(
    "values",
    [{"seed": "x"}, {"seed": 1.5}, {"seed": -1}, {"seed": 1, "truncation_psi": 9}, {"seed": 1, "count": 17}],
)
def test_values_that_cannot_be_are_refused_beside_their_field(owner_client, version, values):
    response = owner_client.post(form_url(version), {"count": 1, "truncation_psi": 1, **values})
    assert response.status_code == 422
    assert not ModelRun.objects.exists()


def test_many_files_are_ordered_at_once(stranger, client, painter):
    client.force_login(stranger)
    response = client.post(form_url(painter), {"files": [upload("a.png"), upload("../../b.png")]})
    assert response.status_code == 302
    names = ModelRun.objects.get(owner=stranger).items.order_by("position").values_list("name", flat=True)
    assert list(names) == ["a.png", "b.png"]


def test_a_file_is_asked_for(owner_client, painter):
    response = owner_client.post(form_url(painter), {})
    assert response.status_code == 422
    assert "Choose at least one picture" in response.content.decode()


def test_without_credits_the_page_says_what_is_missing(owner_client, owner, version):
    order = {"seed": 1, "truncation_psi": 1, "count": 16}
    codes = [owner_client.post(form_url(version), order).status_code for _number in range(3)]
    assert codes[-1] == 402
    assert ModelRun.objects.count() == codes.count(302)


def test_a_private_model_is_nobody_elses(client, stranger, version):
    client.force_login(stranger)
    assert client.get(form_url(version)).status_code == 404
    assert client.post(form_url(version), {"seed": 1}).status_code == 404


def test_a_withdrawn_model_is_not_run(owner_client, painter):
    type(painter.model).objects.update(withdrawn_at="2026-01-01T00:00Z")
    assert owner_client.get(form_url(painter)).status_code == 404


def test_results_are_shown_by_type_and_errors_beside_them(owner_client, run):
    page = owner_client.get(reverse("catalog:run_detail", args=[run.pk])).content.decode()
    assert "93 %" in page
    assert "&lt;b&gt;green&lt;/b&gt;" in page
    assert "This picture is damaged." in page
    assert "1 of 2 came out." in page


def test_boxes_are_drawn_over_the_picture_and_listed(owner_client, run):
    RunItem.objects.filter(position=0).update(file=f"jobs/{run.job_id}/1/000-given.png")
    boxes = [{"label": "cat", "score": 0.5, "box": [0.1, 0.2, 0.6, 0.9]}]
    RunResult.objects.update(kind="boxes", value=boxes)
    page = owner_client.get(reverse("catalog:run_detail", args=[run.pk])).content.decode()
    assert '<rect x="10.00%" y="20.00%" width="50.00%" height="70.00%"/>' in page
    assert "1. cat" in page


def test_every_kind_of_value_has_its_place(owner_client, run):
    url = reverse("catalog:run_detail", args=[run.pk])
    for kind, value, shown in (
        ("text", "two\nlines <i>", "two\nlines &lt;i&gt;"),
        ("number", 3.5, "3.5"),
        ("vector", [1.0, 2.0], ">[1.0, 2.0]</pre>"),
        ("json", {"a": [1]}, "{\n  &quot;a&quot;: ["),
    ):
        RunResult.objects.update(kind=kind, value=value)
        page = owner_client.get(url).content.decode()
        assert shown in page
        assert ("data-copy" in page) is (kind != "number")


def test_what_a_stranger_wrote_about_an_input_is_text(owner, version):
    """Abuse case 49, in a manifest: fields show their help as HTML."""
    evil = "<script>alert(1)</script>"
    inputs = [{"name": "amount", "kind": "number", "default": 1, "label": evil, "help": evil}]
    manifest = {"family": "onnx", "inputs": inputs, "outputs": [{"name": "out", "kind": "number"}]}
    form = RunForm(user=owner, version=ModelVersion(manifest=manifest, model=version.model))
    page = render_to_string("catalog/run_fields.html", {"form": form})
    assert evil not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_the_receipt_of_a_chain_names_the_price_of_every_step(owner_client, owner, tmp_path, painter):
    give_credits(owner, 100)
    doubler = publish_doubler(owner, tmp_path / "doubler")
    steps = [StepOrder(version=version, settings={}) for version in (doubler, painter)]
    run = start_run(owner=owner, steps=steps, items=[ItemOrder(name="a.png", file=upload())], title="Both")
    page = owner_client.get(reverse("catalog:run_detail", args=[run.pk])).content.decode()
    assert "2 credits for each run" in page
    assert "1 credit for each run" in page


def test_polls_are_answered(owner_client, owner, version):
    run = start_run(
        owner=owner,
        steps=[StepOrder(version=version, settings={"seed": 1, "truncation_psi": 1.0})],
        items=[ItemOrder()],
    )
    url, headers = reverse("catalog:run_detail", args=[run.pk]), {"HX-Request": "true"}
    assert 'hx-trigger="every 1s"' in owner_client.get(url).content.decode()
    rev = read_progress(run.job).rev
    assert owner_client.get(url, {"rev": rev}, headers=headers).status_code == 204
    done(run)
    Job.objects.update(rev=rev + 1)
    page = owner_client.get(url, {"rev": rev}, headers=headers).content.decode()
    assert "hx-trigger" not in page
    assert 'id="receipt"' in page


def test_everything_can_be_downloaded(owner_client, run):
    def get(layout):
        response = owner_client.get(reverse("catalog:run_download", args=[run.pk, layout]))
        assert "attachment" in response["Content-Disposition"]
        return response.getvalue()

    told = json.loads(get("json"))
    assert told["items"][0]["results"][0]["value"][0]["label"] == "red"
    assert told["items"][1]["error"] == "This picture is damaged."
    rows = list(csv.DictReader(io.StringIO(get("csv").decode("utf-8-sig"))))
    assert [row["label"] for row in rows] == ["red", "<b>green</b>", ""]
    assert rows[0]["name"] == "'=cmd.png"
    with zipfile.ZipFile(io.BytesIO(get("zip"))) as archive:
        assert archive.namelist() == ["results.json", "results.csv"]


def test_what_was_brought_is_never_served(owner_client, run):
    """Only the picture that was written anew from it is, once there is one."""
    RunItem.objects.filter(position=0).update(file=f"runs/{run.pk}/000")
    assert owner_client.get(reverse("catalog:run_given", args=[run.pk, 0])).status_code == 404


def test_a_run_is_its_owners_alone(client, stranger, run, owner, version, tmp_path):
    client.force_login(stranger)
    for name in ("run_detail", "run_delete"):
        assert client.get(reverse(f"catalog:{name}", args=[run.pk])).status_code == 404
    assert client.post(reverse("catalog:run_stop", args=[run.pk])).status_code == 404
    assert "Painter" not in client.get(reverse("catalog:run_list")).content.decode()


def test_pages_need_a_sign_in_and_the_right_method(client, owner_client, run):
    url = reverse("catalog:run_detail", args=[run.pk])
    assert asks_to_sign_in(client.get(url))
    assert wrong_methods_are_refused(owner_client, url, allowed={"get"})
    assert wrong_methods_are_refused(
        owner_client, reverse("catalog:run_stop", args=[run.pk]), allowed={"post"}
    )


def test_a_run_is_deleted_after_asking(owner_client, run):
    url = reverse("catalog:run_delete", args=[run.pk])
    assert "Delete this run?" in owner_client.get(url).content.decode()
    assert owner_client.post(url).status_code == 302
    assert not ModelRun.objects.exists()


def test_pictures_are_sent_to_models_that_take_them(owner_client, owner, tmp_path, painter, client, stranger):
    doubler = publish_doubler(owner, tmp_path / "doubler")
    world = build_world(owner, tmp_path)
    for source in (f"picture:{world.picture.pk}", f"result:{world.run_result.pk}"):
        page = owner_client.get(reverse("catalog:run_send"), {"source": source}).content.decode()
        assert page.index("Doubler") < page.index("Painter")
        form = owner_client.get(form_url(doubler), {"source": source}).content.decode()
        assert "The picture that you sent here is used" in form
        assert owner_client.post(form_url(doubler), {"source": source}).status_code == 302
    client.force_login(stranger)
    source = f"picture:{Picture.objects.get().pk}"
    assert (
        "That picture is gone" in client.get(reverse("catalog:run_send"), {"source": source}).content.decode()
    )
    assert client.post(form_url(doubler), {"source": source}).status_code == 422
    for nonsense in ("", "picture:", "x:y", "picture:" + "9" * 60, "\0"):
        assert client.get(reverse("catalog:run_send"), {"source": nonsense}).status_code == 200
