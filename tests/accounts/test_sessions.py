"""Where one is signed in, and signing out everywhere else."""

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from accounts.sessions import device_name

PAGE = reverse("usersessions_list")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)


def _signed_in(user, agent) -> Client:
    client = Client(headers={"user-agent": agent})
    client.post(reverse("account_login"), {"login": user.email, "password": "correct horse"})
    return client


def test_the_others_are_signed_out_and_this_one_stays(owner, stranger):
    here, there, elses = _signed_in(owner, FIREFOX), _signed_in(owner, SAFARI), _signed_in(stranger, EDGE)
    page = here.get(PAGE).content.decode()
    assert page.index("Firefox, Windows") < page.index("Safari, iPhone")
    assert "Edge" not in page
    here.post(PAGE)
    assert here.get("/datasets/").status_code == 200
    assert there.get("/datasets/").status_code == 302
    assert elses.get("/datasets/").status_code == 200
    assert "nowhere else" in here.get(PAGE).content.decode()


def test_a_session_from_before_is_noted_when_it_looks(owner, owner_client):
    assert not UserSession.objects.exists()
    assert "nowhere else" in owner_client.get(PAGE).content.decode()
    assert UserSession.objects.get().user == owner


def test_one_that_signed_out_is_not_listed(owner):
    here, there = _signed_in(owner, FIREFOX), _signed_in(owner, SAFARI)
    there.post(reverse("account_logout"))
    assert "Safari" not in here.get(PAGE).content.decode()


@pytest.mark.django_db
def test_noting_sessions_costs_ordinary_pages_nothing(owner, django_assert_max_num_queries):
    client = _signed_in(owner, FIREFOX)
    with django_assert_max_num_queries(50) as asked:
        client.get(reverse("mail_settings"))
    assert not any("usersession" in query["sql"] for query in asked.captured_queries)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Windows"),
        (SAFARI, "Safari, iPhone"),
        (EDGE, "Edge, macOS"),
        ("curl/8.5.0", ""),
        ("", ""),
    ],
)
def test_browsers_are_named(agent, name):
    assert device_name(agent) == name
