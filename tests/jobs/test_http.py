"""Polls of pages."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from jobs.http import poll_response, unchanged
from jobs.progress import read_progress
from jobs.services import stop_job

pytestmark = pytest.mark.django_db


def poll(rev: object):
    return RequestFactory().get("/", {"rev": rev})


def test_204_while_nothing_has_changed(submit):
    job = submit("count")
    progress = read_progress(job)

    assert unchanged(poll(progress.rev), progress).status_code == 204
    assert unchanged(poll(progress.rev - 1), progress) is None
    assert unchanged(poll("junk"), progress) is None
    assert unchanged(RequestFactory().get("/"), progress) is None


def test_the_page_when_something_has(submit):
    job = submit("count")
    held = read_progress(job).rev

    response = poll_response(poll(held), read_progress(stop_job(job=job)), lambda: HttpResponse("fragment"))

    assert (response.status_code, response.content) == (200, b"fragment")
    assert response["Cache-Control"] == "private, no-store"


def test_an_unchanged_page_is_not_rendered(submit):
    progress = read_progress(submit("count"))

    response = poll_response(poll(progress.rev), progress, lambda: pytest.fail("rendered"))

    assert response.status_code == 204
