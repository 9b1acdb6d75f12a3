"""Polls that find nothing new: one query, and no less checked than any other page."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from generation.models import Generation
from generation.services import JOB_KIND
from jobs.claims import claim_job
from jobs.models import Job, State
from jobs.progress import Report, publish, read_progress
from jobs.revisions import new_revision
from jobs.services import submit_job

pytestmark = pytest.mark.django_db

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def generation(owner):
    job = submit_job(owner=owner, kind=JOB_KIND, label="Four shells", total=4)
    return Generation.objects.create(
        owner=owner, job=job, model_title="Shells", settings={"seeds": [1], "truncation_psi": 0.7}, count=1
    )


@pytest.fixture
def running(generation):
    claim_job(queue="generate", worker="worker-1", device_bytes=2**40)
    generation.job.refresh_from_db()
    return generation


def poll(client: Client, generation: Generation, rev: int | None = None, **headers: str):
    job = Job.objects.get(pk=generation.job_id)
    newest = read_progress(job).rev if rev is None else rev
    return client.get(f"/generate/{generation.pk}/", {"rev": newest}, headers={**FRAGMENT, **headers})


def is_sent_to_sign_in(response) -> bool:
    return response.headers.get("HX-Redirect", "").startswith("/account/login/")


def test_an_unchanged_page_costs_one_query(owner_client, running, django_assert_num_queries):
    newest = read_progress(running.job).rev
    with django_assert_num_queries(1):
        response = owner_client.get(f"/generate/{running.pk}/", {"rev": newest}, headers=FRAGMENT)
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "private, no-store"


def test_a_waiting_one_costs_a_second_for_its_place(owner_client, generation, django_assert_num_queries):
    newest = read_progress(generation.job).rev
    with django_assert_num_queries(2):
        response = owner_client.get(f"/generate/{generation.pk}/", {"rev": newest}, headers=FRAGMENT)
    assert response.status_code == 204


def test_what_a_worker_reports_is_news(owner_client, running):
    publish(running.job.pk, attempt=1, rev=new_revision(running.job.rev), report=Report(step=1, total=4))
    assert poll(owner_client, running, running.job.rev).status_code == 200
    assert poll(owner_client, running).status_code == 204


def test_an_ended_job_is_news(owner_client, running):
    before = read_progress(running.job).rev
    Job.objects.update(state=State.SUCCEEDED, lease_until=None, rev=new_revision(before))
    assert poll(owner_client, running, before).status_code == 200


@pytest.mark.parametrize("rev", ["", "0", "junk", "-1", "9" * 40])
def test_no_revision_but_the_newest_counts(owner_client, running, rev):
    assert poll(owner_client, running, rev).status_code == 200


def test_a_stranger_finds_nothing(stranger_client, running):
    assert poll(stranger_client, running).status_code == 404


def test_nobody_is_sent_to_sign_in(client, running):
    assert is_sent_to_sign_in(poll(client, running))


def test_a_made_up_session_is_nobodys(client, running):
    client.cookies["sessionid"] = "x" * 32
    assert is_sent_to_sign_in(poll(client, running))


def test_an_account_that_was_closed_is_signed_out(owner_client, owner, running):
    owner.is_active = False
    owner.save()
    assert is_sent_to_sign_in(poll(owner_client, running))


def test_another_password_ends_the_session(owner_client, owner, running):
    owner.set_password("another horse")
    owner.save()
    assert is_sent_to_sign_in(poll(owner_client, running))


def test_a_session_ends_in_time(owner_client, running):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert is_sent_to_sign_in(poll(owner_client, running))


def test_what_was_written_into_a_session_from_outside_is_not_believed(owner_client, running):
    Session.objects.update(session_data="eyJfYXV0aF91c2VyX2lkIjoiMSJ9:1abc:forged")
    assert is_sent_to_sign_in(poll(owner_client, running))


def test_a_key_that_was_changed_renews_the_session(owner_client, running, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the same studio, as long as one has to be"
    assert poll(owner_client, running).status_code == 204
    assert poll(owner_client, running).status_code == 204


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_polls_are_asked_with_get(owner_client, running, method):
    address = f"/generate/{running.pk}/?rev={read_progress(running.job).rev}"
    assert getattr(owner_client, method)(address, headers=FRAGMENT).status_code == 405
