"""The home page, the health checks, the error pages and what every answer carries."""

import errno

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFilesSent
from django.db import OperationalError
from django.http import Http404
from django.test import Client, override_settings
from django.urls import path

from config import urls
from config.views import database_away

FAILURES = {
    "forbidden": PermissionDenied(),
    "missing": Http404(),
    "too-big": RequestDataTooBig(),
    "too-many-files": TooManyFilesSent(),
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "deadlock": OperationalError("deadlock detected"),
    "broken": RuntimeError("the secret of the house"),
}


def fail(request, kind):
    raise FAILURES[kind]


class FailingUrls:
    """The studio's addresses and one that fails as asked."""

    urlpatterns = [path("fail/<slug:kind>/", fail), *urls.urlpatterns]
    handler400, handler403, handler404 = urls.handler400, urls.handler403, urls.handler404
    handler500 = urls.handler500


@pytest.fixture
def failing_client():
    with override_settings(ROOT_URLCONF=FailingUrls):
        yield Client(raise_request_exception=False)


@pytest.mark.django_db
def test_home_shows_strangers_what_this_is(client):
    response = client.get("/")
    assert response.status_code == 200
    assert "home/landing_detail.html" in [template.name for template in response.templates]


def test_home_shows_people_their_studio(owner_client):
    response = owner_client.get("/")
    assert response.status_code == 200
    assert "home/home_detail.html" in [template.name for template in response.templates]
    assert response["Cache-Control"] == "private, no-store"


def test_home_sends_nothing_when_nothing_has_changed(owner_client):
    rev = owner_client.get("/").context["rev"]
    assert owner_client.get("/", {"rev": rev}, headers={"HX-Request": "true"}).status_code == 204
    changed = owner_client.get("/", {"rev": "old"}, headers={"HX-Request": "true"})
    assert changed.status_code == 200
    assert b"<html" not in changed.content


@pytest.mark.django_db
def test_a_poll_after_signing_out_moves_the_whole_page(client):
    response = client.get("/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/"})
    assert response["HX-Redirect"] == "/account/login/?next=/"


def test_alive_asks_nobody(client):
    assert client.get("/healthz").content == b"ok\n"


@pytest.mark.django_db
def test_ready_says_who_does_not_answer(client):
    assert client.get("/readyz").json() == {"database": True, "redis": True}
    with override_settings(REDIS_URL="unix:///nowhere/redis.sock"):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"database": True, "redis": False}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("forbidden", 403), ("missing", 404), ("too-big", 413), ("too-many-files", 400), ("full", 507)],
)
def test_each_failure_has_its_page(failing_client, kind, status):
    response = failing_client.get(f"/fail/{kind}/")
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")


def test_too_many_files_names_the_limit(failing_client, settings):
    page = failing_client.get("/fail/too-many-files/").content.decode()
    assert str(settings.DATA_UPLOAD_MAX_NUMBER_FILES) in page


def test_a_failure_gives_a_reference_and_no_trace(failing_client, caplog):
    page = failing_client.get("/fail/broken/").content.decode()
    assert "the secret of the house" not in page
    assert "Traceback" not in page
    [record] = [record for record in caplog.records if record.name == "config.views"]
    assert record.reference in page
    assert "the secret of the house" in caplog.text


def test_a_forged_host_is_refused(client):
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.django_db
def test_a_form_without_a_token_is_refused():
    response = Client(enforce_csrf_checks=True).post("/account/login/", {"login": "a@example.org"})
    assert response.status_code == 403
    assert "reload the page" in response.content.decode()


@pytest.mark.django_db
def test_every_page_carries_the_strict_policy(client):
    for address in ("/", "/account/login/", "/nowhere/"):
        headers = client.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
def test_a_failure_of_the_databases_making_is_not_one_of_its_absence(failing_client):
    assert failing_client.get("/fail/deadlock/").status_code == 500


@pytest.mark.django_db
def test_what_a_form_sent_is_kept_on_the_page_that_says_that_the_database_is_away(rf):
    form = {"name": "<Shells>", "note": ["one", "two"]}
    page = database_away(rf.post("/datasets/new/?next=x", form), OperationalError("gone"))
    assert page.status_code == 503
    text = page.content.decode()
    assert 'action="/datasets/new/?next=x"' in text
    for field in ('name="name" value="&lt;Shells&gt;"', 'name="note" value="one"', 'name="note" value="two"'):
        assert field in text
    secret = database_away(rf.post("/account/login/", {"password": "correct horse"}), OperationalError())
    assert b"correct horse" not in secret.content
