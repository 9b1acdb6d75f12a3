"""Jobs in Django admin."""

import pytest
from django.test import Client
from django.urls import reverse

from jobs.leases import finish_job
from jobs.models import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_client(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def test_the_list(staff_client, submit):
    submit("count", label="My training", total=40)

    response = staff_client.get(reverse("admin:jobs_job_changelist"), {"state": "queued", "q": "owner@"})

    assert response.status_code == 200
    assert "My training" in response.text
    assert "0 / 40" in response.text


def test_the_timeline(staff_client, submit, claim):
    job = submit("count")
    finish_job(claim(), State.SUCCEEDED)

    response = staff_client.get(reverse("admin:jobs_job_change", args=[job.pk]))

    assert response.status_code == 200
    for cause in ("submitted", "claimed", "finished"):
        assert cause in response.text


def test_nothing_can_be_changed(staff_client, submit):
    job = submit("count")
    change = reverse("admin:jobs_job_change", args=[job.pk])

    assert staff_client.get(reverse("admin:jobs_job_add")).status_code == 403
    assert staff_client.post(change, {"state": "succeeded"}).status_code == 403
    assert staff_client.post(reverse("admin:jobs_job_delete", args=[job.pk])).status_code == 403


def test_not_for_users(owner_client, submit):
    assert owner_client.get(reverse("admin:jobs_job_changelist")).status_code == 404
