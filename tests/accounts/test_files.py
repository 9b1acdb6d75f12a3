"""Private files: what their answers say, and that they never run anything."""

import urllib.request

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import Http404
from django.test import RequestFactory

from accounts.files import serve_content, serve_file

pytestmark = pytest.mark.django_db


@pytest.fixture
def key():
    return default_storage.save("private/one two.png", ContentFile(b"bytes"))


@pytest.fixture
def request_(rf: RequestFactory):
    return rf.get("/")


def test_a_file_is_shown_and_not_kept(request_, key):
    response = serve_file(request_, key, content_type="image/png")
    assert response.getvalue() == b"bytes"
    response.close()
    assert response["Content-Type"] == "image/png"
    assert response["Content-Length"] == "5"
    assert response["Content-Disposition"] == 'inline; filename="one two.png"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox"
    assert response["Cache-Control"] == "private, no-store"


def test_a_download_has_its_name_whatever_the_language(request_, key):
    response = serve_file(request_, key, content_type="image/png", filename='kočka "1".png', download=True)
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''ko%C4%8Dka%20%221%22.png"
    response.close()


def test_whether_it_is_saved_is_the_address_own_question(rf, key):
    asked = serve_file(rf.get("/?download"), key, content_type="image/png")
    assert asked["Content-Disposition"] == 'attachment; filename="one two.png"'
    asked.close()
    fixed = serve_file(rf.get("/?download"), key, content_type="image/png", download=False)
    assert fixed["Content-Disposition"] == 'inline; filename="one two.png"'
    fixed.close()


def test_a_row_without_a_file_has_nothing_to_serve(request_):
    with pytest.raises(Http404):
        serve_file(request_, "", content_type="image/png")


@pytest.mark.parametrize("content", ["a;b", b"a;b", iter([b"a", b";b"])])
def test_made_contents_are_as_harmless_as_stored_ones(content):
    response = serve_content(content, content_type="text/csv", filename="kočka.csv")
    assert response.getvalue() == b"a;b"
    assert response["Content-Type"] == "text/csv"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''ko%C4%8Dka.csv"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox"
    assert response["Cache-Control"] == "private, no-store"


def test_an_immutable_address_is_kept_privately(rf, key):
    response = serve_file(rf.get("/"), key, content_type="image/png", immutable=True)
    assert response["Cache-Control"] == "private, max-age=31536000, immutable"
    response.close()
    again = rf.get("/", headers={"If-None-Match": response["ETag"]})
    assert serve_file(again, key, content_type="image/png", immutable=True).status_code == 304


@pytest.mark.parametrize(
    ("asked", "status", "content", "said"),
    [
        ("bytes=1-3", 206, b"yte", "bytes 1-3/5"),
        ("bytes=2-", 206, b"tes", "bytes 2-4/5"),
        ("bytes=-2", 206, b"es", "bytes 3-4/5"),
        ("bytes=0-999", 206, b"bytes", "bytes 0-4/5"),
        ("bytes=5-", 416, b"", "bytes */5"),
        ("bytes=3-1", 416, b"", "bytes */5"),
        ("bytes=-0", 416, b"", "bytes */5"),
        ("bytes=0-0,2-2", 200, b"bytes", None),
        ("bytes=-", 200, b"bytes", None),
        ("pages=1-3", 200, b"bytes", None),
    ],
)
def test_players_jump_within_a_film(rf, key, asked, status, content, said):
    response = serve_file(rf.get("/", headers={"Range": asked}), key, content_type="video/mp4")
    assert response.status_code == status
    assert response.getvalue() == content
    assert response.get("Content-Range") == said
    if status != 416:
        assert response["Content-Length"] == str(len(content))
        assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Type"] == "video/mp4"
    response.close()


def test_a_part_is_of_the_state_that_was_asked_for(rf, key):
    whole = serve_file(rf.get("/"), key, content_type="video/mp4", immutable=True)
    whole.close()
    for condition, status in ((whole["ETag"], 206), ('"another"', 200)):
        headers = {"Range": "bytes=1-", "If-Range": condition}
        response = serve_file(rf.get("/", headers=headers), key, content_type="video/mp4", immutable=True)
        assert response.status_code == status
        response.close()


def test_a_missing_file_is_not_found(request_, settings):
    with pytest.raises(Http404):
        serve_file(request_, "private/none.png", content_type="image/png")
    settings.ACCEL_PREFIX = "/protected/"
    with pytest.raises(Http404):
        serve_file(request_, "private/none.png", content_type="image/png")


def test_the_proxy_is_told_where_the_file_lies(request_, key, settings):
    settings.ACCEL_PREFIX = "/protected/"
    response = serve_file(request_, key, content_type="image/png")
    assert response["X-Accel-Redirect"] == "/protected/private/one%20two.png"
    assert response.content == b""
    assert response["Content-Security-Policy"] == "sandbox"


def test_a_file_in_a_bucket_is_fetched_there(request_, bucket, bucket_server):
    key = default_storage.save("private/one two.png", ContentFile(b"bytes"))

    response = serve_file(request_, key, content_type="image/png", filename='kočka "1".png', download=True)

    assert response.status_code == 302
    assert response["Cache-Control"] == "private, no-store"
    assert response.url.startswith(f"{bucket_server}/{bucket['FILES_BUCKET']}/private/one%20two.png?")
    with urllib.request.urlopen(response.url) as answer:
        assert answer.read() == b"bytes"
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''ko%C4%8Dka")
        assert answer.headers["Cache-Control"] == "private, no-store"


def test_an_address_in_a_bucket_is_kept_for_less_long_than_it_is_good_for(request_, bucket):
    key = default_storage.save("private/one.png", ContentFile(b"bytes"))

    response = serve_file(request_, key, content_type="image/png", immutable=True)

    assert response["Cache-Control"] == "private, max-age=150"
    assert "X-Amz-Expires=300" in response.url
    assert "immutable" in response.url


def test_a_bucket_that_browsers_cannot_reach(request_, bucket, settings):
    settings.FILES_DIRECT = False
    key = default_storage.save("private/one.png", ContentFile(b"bytes"))

    response = serve_file(request_, key, content_type="image/png")

    assert response.getvalue() == b"bytes"
    response.close()
    assert response["Content-Security-Policy"] == "sandbox"
    with pytest.raises(Http404):
        serve_file(request_, "private/none.png", content_type="image/png")


def test_a_file_that_is_not_in_the_bucket(request_, bucket):
    with pytest.raises(Http404):
        serve_file(request_, "private/none.png", content_type="image/png")
