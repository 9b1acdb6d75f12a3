"""Saying what is wrong with somebody's model."""

import pytest
from django.core.cache import cache
from django.urls import reverse

from catalog.models import ModelReport
from tests.catalog.pages import wrong_methods_are_refused

FIELDS = {"reason": "likeness", "text": "That is me.\r\nI did not agree.", "email": "me@example.org"}


@pytest.fixture(autouse=True)
def _no_reports_before(db):
    cache.clear()


@pytest.fixture
def url(public_version):
    return reverse("catalog:model_report", args=[public_version.model.owner.handle, "cats"])


def test_anybody_reports(client, public_version, url):
    assert client.get(url).status_code == 200
    assert client.post(url, FIELDS).status_code == 302
    report = ModelReport.objects.get()
    assert (report.model, report.reporter, report.email) == (public_version.model, None, "me@example.org")
    assert report.text == "That is me.\nI did not agree."
    assert report.state == ModelReport.State.OPEN


def test_who_is_signed_in_is_known_by_it(stranger_client, stranger, url):
    assert stranger.email in stranger_client.get(url).text
    stranger_client.post(url, {**FIELDS, "email": ""})
    assert ModelReport.objects.get().reporter == stranger


@pytest.mark.parametrize(
    "values",
    [
        {"reason": ""},
        {"reason": "boring"},
        {"text": ""},
        {"text": "\x00"},
        {"text": "x" * 5001},
        {"email": "nobody"},
    ],
)
def test_bad_input_is_422_with_the_form_filled(client, url, values):
    response = client.post(url, {**FIELDS, **values})
    assert response.status_code == 422
    assert "me@example.org" in response.text or "email" in values
    assert not ModelReport.objects.exists()


def test_the_sixth_in_an_hour_waits(client, url):
    for _report in range(5):
        assert client.post(url, FIELDS).status_code == 302
    refused = client.post(url, FIELDS, headers={"X-Forwarded-For": "10.1.2.3"})
    assert refused.status_code == 429
    assert refused["Retry-After"]
    assert ModelReport.objects.count() == 5


def test_state_and_decision_cannot_be_posted(client, url):
    client.post(url, {**FIELDS, "state": "upheld", "decision": "Yes."})
    assert ModelReport.objects.get().state == ModelReport.State.OPEN


def test_a_private_model_does_not_exist_for_others(client, stranger_client, version):
    private = reverse("catalog:model_report", args=[version.model.owner.handle, "faces"])
    for reader in (client, stranger_client):
        assert reader.get(private).status_code == 404
        assert reader.post(private, FIELDS).status_code == 404


def test_wrong_methods(client, url):
    assert wrong_methods_are_refused(client, url, {"get", "post"})
