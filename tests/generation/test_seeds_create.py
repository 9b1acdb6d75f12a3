"""/generate/: ordering pictures."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from billing.models import CreditAccount, CreditHold
from billing.selectors import ledger_differences
from billing.services import open_account
from generation.models import Generation
from generation.seeds import MAX_SEED
from jobs.models import Job
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.wallets import set_credits

URL = reverse("generation:seeds_create")


@pytest.fixture
def values(version):
    return {"model": version.model.address, "count": "4", "truncation_psi": "0.7"}


def test_owner_orders_pictures(owner_client, owner, values, version):
    response = owner_client.post(URL, values)
    generation = Generation.objects.get()
    assert response["Location"] == reverse("generation:generation_detail", args=[generation.pk])
    assert (generation.owner, generation.model_version) == (owner, version)
    assert (generation.count, generation.truncation_psi) == (4, 0.7)
    first = generation.seeds[0]
    assert generation.seeds == list(range(first, first + 4))


def test_each_order_has_new_seeds(owner_client, values):
    owner_client.post(URL, values)
    owner_client.post(URL, values)
    first, second = Generation.objects.all()
    assert first.seeds != second.seeds


def test_first_seed_and_list(owner_client, values):
    owner_client.post(URL, {**values, "first_seed": "10"})
    owner_client.post(URL, {**values, "first_seed": "10", "seeds": "3, 7-9"})
    second, first = Generation.objects.all()
    assert first.seeds == [10, 11, 12, 13]
    assert second.seeds == [3, 7, 8, 9]


@pytest.mark.parametrize("psi", ["0", "1.5", "1"])
def test_ends_of_the_truncation_range(owner_client, values, psi):
    owner_client.post(URL, {**values, "truncation_psi": psi})
    assert Generation.objects.get().truncation_psi == float(psi)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", ""),
        ("model", "nobody/nothing"),
        ("model", "x" * 1000),
        ("model", "\0"),
        ("count", "0"),
        ("count", "65"),
        ("count", "1000000000"),
        ("count", "1" * 5000),
        ("count", "-3"),
        ("count", "many"),
        ("count", ""),
        ("first_seed", "-1"),
        ("first_seed", str(MAX_SEED + 1)),
        ("first_seed", str(MAX_SEED)),
        ("first_seed", "1.5"),
        ("truncation_psi", ""),
        ("truncation_psi", "50"),
        ("truncation_psi", "-0.1"),
        ("truncation_psi", "nan"),
        ("truncation_psi", "inf"),
        ("truncation_psi", "a"),
        ("seeds", "one, two"),
        ("seeds", "0-1000000000"),
        ("seeds", "5-1"),
        ("seeds", "9" * 2000),
        ("seeds", "<script>alert(1)</script>"),
    ],
)
def test_bad_input_is_422_beside_the_field_and_the_form_stays_filled(owner_client, values, field, value):
    response = owner_client.post(URL, {**values, "truncation_psi": "0.35", field: value})
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {field}
    page = response.content.decode()
    assert field == "truncation_psi" or 'value="0.35"' in page
    assert escape(response.context["form"].errors[field][0]) in page
    assert "<script>alert" not in page
    assert not Job.objects.exists()


def test_strangers_private_model_is_422(stranger_client, values):
    response = stranger_client.post(URL, values)
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {"model"}
    assert not Generation.objects.exists()


def test_public_model_of_somebody_else_can_be_used(owner_client, owner, public_version):
    values = {"model": public_version.model.address, "count": "1", "truncation_psi": "1"}
    assert owner_client.post(URL, values).status_code == 302
    assert Generation.objects.get().owner == owner


def test_posted_owner_and_price_are_ignored(owner_client, owner, stranger, values):
    owner_client.post(URL, {**values, "owner": stranger.pk, "price": "-5", "state": "succeeded"})
    generation = Generation.objects.get()
    assert (generation.owner, generation.job.price_held) == (owner, 20)
    assert generation.job.state == "queued"


def test_too_many_orders_are_429_and_the_form_stays_filled(owner_client, values, settings):
    settings.GENERATIONS_WAITING_MAX = 1
    owner_client.post(URL, values)
    response = owner_client.post(URL, {**values, "truncation_psi": "0.35"})
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    page = response.content.decode()
    assert "You have 1 order waiting" in page
    assert 'value="0.35"' in page
    assert Generation.objects.count() == 1


def test_link_fills_the_form(owner_client, owner, publish, version):
    publish(owner, "other")
    query = {"model": version.model.address, "seeds": "3, 7-9", "truncation_psi": "0.35"}
    response = owner_client.get(URL, query)
    page = response.content.decode()
    assert 'value="3, 7-9"' in page
    assert 'value="0.35"' in page
    assert f'value="{version.model.address}" checked' in page
    assert "Make 4 images" in page


def test_link_to_a_model_that_is_gone_says_so(owner_client, version):
    page = owner_client.get(URL, {"model": "nobody/nothing"}).content.decode()
    assert "gone or not yours" in page


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "\0", "9" * 3000])
def test_garbage_in_a_link_is_harmless(owner_client, version, value):
    response = owner_client.get(URL, dict.fromkeys(("model", "count", "first_seed", "seeds"), value))
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"count": "1"}, "Make 1 image, 5 credits<"),
        ({"count": "12"}, "Make 12 images, 60 credits<"),
        ({"count": "12", "seeds": "1-3"}, "Make 3 images, 15 credits<"),
        ({"count": "0"}, "Make images<"),
        ({"count": "x"}, "Make images<"),
        ({"count": "5", "seeds": "x"}, "Make images<"),
        ({}, "Make 16 images, 80 credits<"),
    ],
)
def test_button_says_what_happens(owner_client, version, query, text):
    headers = {"HX-Request": "true", "HX-Target": "make"}
    page = owner_client.get(URL, query, headers=headers).content.decode().replace("\n<", "<")
    assert text in page
    assert "<html" not in page


def test_in_house_mode_nothing_has_a_price(owner_client, values, settings):
    settings.CREDITS_ENABLED = False
    page = owner_client.get(URL, {"count": "4"}).content.decode()
    assert "Make 4 images" in page
    assert "Make 4 images, " not in page
    assert "credit" not in page
    owner_client.post(URL, values)
    assert Generation.objects.get().job.price_held == 0
    assert not CreditHold.objects.exists()


def test_without_credits_it_is_402_says_what_is_missing_and_the_form_stays_filled(
    owner_client, owner, values
):
    set_credits(owner, 12)
    response = owner_client.post(URL, {**values, "truncation_psi": "0.35"})
    assert response.status_code == 402
    page = response.content.decode()
    assert "This takes 20 credits and you have 12. Add 8, then try again." in page
    assert 'value="0.35"' in page
    assert not Generation.objects.exists()
    assert not Job.objects.exists()


def test_a_blocked_account_is_402(owner_client, owner, values):
    account = open_account(user=owner)
    CreditAccount.objects.filter(pk=account.pk).update(billing_hold=True)
    response = owner_client.post(URL, values)
    assert response.status_code == 402
    assert "Spending is paused" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_twenty_orders_with_credits_for_one(owner, owner_client, values):
    """Abuse case 59: one is accepted, nineteen get 402, and nothing is left, at whatever moment they come."""
    set_credits(owner, 20)
    barrier = Barrier(20)

    def post(_index: int) -> int:
        browser = Client()
        browser.cookies = owner_client.cookies.copy()
        try:
            barrier.wait()
            return browser.post(URL, values).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = Counter(pool.map(post, range(20)))

    assert answers == {302: 1, 402: 19}
    assert Generation.objects.count() == 1
    account = CreditAccount.objects.get(user=owner)
    assert (account.available, account.held) == (0, 20)
    run_pending("generate")
    account.refresh_from_db()
    assert (account.available, account.held) == (0, 0)
    assert Job.objects.get().price_charged == 20
    assert ledger_differences(account) == {}


def test_without_a_model_the_page_says_how_to_get_one(owner_client):
    page = owner_client.get(URL).content.decode()
    assert reverse("training:experiment_create") in page


def test_anonymous_is_asked_to_sign_in(client, db):
    assert asks_to_sign_in(client.get(URL))
    assert asks_to_sign_in(client.post(URL))


def test_wrong_methods(owner_client):
    assert wrong_methods_are_refused(owner_client, URL, {"get", "post"})


def test_queries(owner_client, owner, publish, made, django_assert_max_num_queries):
    for number in range(5):
        publish(owner, f"model-{number}")
        made(seeds=[number, number + 100])
    with django_assert_max_num_queries(15):
        owner_client.get(URL)
