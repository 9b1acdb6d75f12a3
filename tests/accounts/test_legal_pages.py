"""Terms, privacy, acceptable use: there from the start, and staff's to change."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import LegalPage

pytestmark = pytest.mark.django_db


def test_they_come_with_a_first_text(client):
    for slug in ("terms", "privacy", "acceptable-use"):
        page = client.get(reverse("legal_detail", args=[slug])).content.decode()
        assert "<h2>" in page
        assert page.count("<h1>") == 1
        assert page.count('aria-current="page"') == 1


def test_the_landing_page_and_the_sign_up_lead_there(client):
    for address in (reverse("home"), reverse("account_signup"), reverse("legal_detail", args=["privacy"])):
        assert reverse("legal_detail", args=["terms"]) in client.get(address).content.decode()


def test_who_is_signed_in_finds_them_beside_what_is_kept(owner_client):
    page = owner_client.get(reverse("account_data")).content.decode()
    assert reverse("legal_detail", args=["privacy"]) in page


def test_one_that_is_not_shown_is_not_there(client):
    LegalPage.objects.filter(slug="terms").update(is_shown=False)
    address = reverse("legal_detail", args=["terms"])
    assert client.get(address).status_code == 404
    assert address not in client.get(reverse("account_signup")).content.decode()


def test_what_staff_write_is_shown_and_harmless(make_user):
    staff = Client()
    staff.force_login(make_user("staff@example.org", is_staff=True, is_superuser=True))
    page = LegalPage.objects.get(slug="terms")
    change = reverse("admin:accounts_legalpage_change", args=[page.pk])
    sent = {
        "title": "Our terms",
        "text": "# Be *kind*\n<script>alert(1)</script>",
        "is_shown": "on",
        "position": "0",
    }

    assert staff.post(change, sent).status_code == 302

    shown = Client().get(page.get_absolute_url()).content.decode()
    assert "Our terms" in shown
    assert "<h2>Be <em>kind</em></h2>" in shown
    assert "<script>alert" not in shown


def test_its_address_stays(make_user):
    staff = Client()
    staff.force_login(make_user("staff@example.org", is_staff=True, is_superuser=True))
    change = reverse("admin:accounts_legalpage_change", args=["terms"])
    staff.post(change, {"slug": "other", "title": "Terms", "text": "One", "position": "0"})
    assert set(LegalPage.objects.values_list("slug", flat=True)) == {"terms", "privacy", "acceptable-use"}
