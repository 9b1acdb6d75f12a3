"""The pages of imports: upload, what was found, answering, discarding; owner, stranger, anybody."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from catalog.models import CatalogModel, Licence, ModelImport
from jobs.testing import run_pending
from tests.catalog.brought import lora, onnx_zip
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.engines.onnx.networks import doubler

URL = reverse("catalog:import_create")


@pytest.fixture
def found(owner_client, licences, django_capture_on_commit_callbacks) -> ModelImport:
    """A LoRA for SD 1.5 under CC BY-NC, looked at."""
    content = lora(**{"modelspec.license": "CC-BY-NC-4.0", "modelspec.title": "Ink"})
    with django_capture_on_commit_callbacks(execute=True):
        response = owner_client.post(URL, {"files": SimpleUploadedFile("ink.safetensors", content)})
        run_pending("light")
    imported = ModelImport.objects.get()
    assert response["Location"] == detail(imported)
    return imported


def detail(imported) -> str:
    return reverse("catalog:import_detail", args=[imported.pk])


def test_the_form_says_what_can_be_brought(owner_client, client):
    page = owner_client.get(URL).content.decode()
    assert all(word in page for word in (".pkl", ".safetensors", "model_index.json", "no credits"))
    assert asks_to_sign_in(client.get(URL))
    assert wrong_methods_are_refused(owner_client, URL, {"get", "post"})


def test_what_was_found_is_shown_and_asked_about(owner_client, found, owner):
    from tests.catalog.bases import publish_tiny_base

    page = owner_client.get(detail(found)).content.decode()
    assert "LoRA, rank 4" in page
    assert "CC-BY-NC-4.0" in page
    assert "No base for this LoRA" in page
    base = publish_tiny_base(owner, family="sd15")
    page = owner_client.get(detail(found)).content.decode()
    assert 'value="Ink"' in page
    assert base.model.title in page
    assert "ink.safetensors" in owner_client.get(URL).content.decode()


def test_30_a_licence_that_gives_more_than_the_file_says_is_refused(owner_client, found, owner):
    """The file says non-commercial: it cannot be brought under a licence that lets its images be sold."""
    from tests.catalog.bases import publish_tiny_base

    base = publish_tiny_base(owner, family="sd15")
    said = {"title": "Ink", "name": "ink", "author": "Ada", "source_url": "", "base": base.pk, "keyword": ""}
    response = owner_client.post(detail(found), {**said, "licence": "mit"})
    assert response.status_code == 422
    assert "allows less than" in response.content.decode()
    assert (
        owner_client.post(detail(found), {**said, "licence": "cc-by-nc-4.0", "title": ""}).status_code == 422
    )
    response = owner_client.post(detail(found), {**said, "licence": "cc-by-nc-4.0"})
    assert response.status_code == 302
    found.refresh_from_db()
    assert (found.stage, found.licence) == ("trying", Licence.objects.get(slug="cc-by-nc-4.0"))
    assert found.found["base"] == str(base.pk)


@pytest.mark.parametrize("told", ["Licence of Nobody 7.0", "", 3, ["mit"]])
def test_28_a_manifest_with_a_wrong_licence_is_answered_by_hand(
    owner_client, licences, tmp_path, django_capture_on_commit_callbacks, told
):
    """What is no licence suggests none; without a known one the form comes back, filled, and says so."""
    content = onnx_zip(tmp_path, doubler(), licence=told)
    with django_capture_on_commit_callbacks(execute=True):
        owner_client.post(URL, {"files": SimpleUploadedFile("doubler.zip", content)})
        run_pending("light")
    imported = ModelImport.objects.get()
    assert (imported.stage, imported.found["licence"]) == ("found", ""), imported.refusal
    assert owner_client.get(detail(imported)).context["form"].initial["licence"] is None
    said = {"title": "Twice as large", "name": "doubler", "author": "Ada", "source_url": ""}
    for wrong in ("", "licence-of-nobody", "custom\0"):
        response = owner_client.post(detail(imported), {**said, "licence": wrong})
        assert response.status_code == 422
        assert list(response.context["form"].errors) == ["licence"]
        assert 'value="Twice as large"' in response.text
    imported.refresh_from_db()
    assert (imported.stage, imported.licence) == ("found", None)
    assert not CatalogModel.objects.filter(imports=imported).exists()


def test_28_a_manifest_cannot_be_given_more_than_its_licence(
    owner_client, licences, tmp_path, django_capture_on_commit_callbacks
):
    content = onnx_zip(tmp_path, doubler(), licence="NVIDIA Source Code License (non-commercial)")
    with django_capture_on_commit_callbacks(execute=True):
        owner_client.post(URL, {"files": SimpleUploadedFile("doubler.zip", content)})
        run_pending("light")
    imported = ModelImport.objects.get()
    assert imported.found["licence"] == "nvidia-source-code-nc"
    said = {"title": "Doubler", "name": "doubler", "author": "Ada", "source_url": ""}
    for more in ("mit", "cc0-1.0", "creativeml-openrail-m"):
        response = owner_client.post(detail(imported), {**said, "licence": more})
        assert response.status_code == 422
        assert "allows less than" in response.context["form"].errors["licence"][0]
    imported.refresh_from_db()
    assert imported.stage == "found"


def test_a_base_that_is_not_ones_own_to_use_is_refused(owner_client, found, owner, stranger):
    from tests.catalog.bases import publish_tiny_base

    publish_tiny_base(owner, family="sd15")
    foreign = publish_tiny_base(stranger, family="sdxl", name="theirs", visibility="private")
    said = {"title": "Ink", "name": "ink", "author": "Ada", "licence": "cc-by-nc-4.0", "base": foreign.pk}
    assert owner_client.post(detail(found), said).status_code == 422


def test_for_others_it_does_not_exist(stranger_client, client, found):
    for address in (detail(found), reverse("catalog:import_discard", args=[found.pk])):
        assert stranger_client.post(address).status_code == 404
        assert asks_to_sign_in(client.post(address))
    assert stranger_client.get(detail(found)).status_code == 404


def test_discarding(owner_client, found, django_capture_on_commit_callbacks):
    address = reverse("catalog:import_discard", args=[found.pk])
    assert wrong_methods_are_refused(owner_client, address, {"post"})
    assert owner_client.post(address)["Location"] == URL
    assert not ModelImport.objects.exists()


def test_polls_are_answered_with_what_changed(owner_client, found):
    found.refresh_from_db()
    polled = owner_client.get(detail(found), {"rev": found.job.rev}, headers={"HX-Request": "true"})
    assert polled.status_code == 204
    polled = owner_client.get(detail(found), {"rev": 0}, headers={"HX-Request": "true"})
    assert 'id="import-status"' in polled.content.decode()
    assert "hx-trigger" not in polled.content.decode()  # it has ended


def test_too_large_none_and_two_files(owner_client, settings, db):
    settings.IMPORT_LIMITS = {"max_bytes": 100}
    response = owner_client.post(URL, {"files": SimpleUploadedFile("a.pkl", bytes(200))})
    assert response.status_code == 413
    assert "data-error" in response.content.decode()
    settings.IMPORT_LIMITS = {}
    assert owner_client.post(URL, {}).status_code == 422
    two = [SimpleUploadedFile("a.pkl", b"a"), SimpleUploadedFile("b.pkl", b"b")]
    assert owner_client.post(URL, {"files": two}).status_code == 422
    assert not ModelImport.objects.exists()
