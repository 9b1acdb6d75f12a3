"""The pages about credits: what they say, and to whom."""

import uuid
from datetime import timedelta

import pytest
from django.template import Context, Template
from django.urls import reverse
from django.utils import timezone

from billing import services
from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import CreditAccount
from tests.billing.pair import owe

pytestmark = pytest.mark.django_db

PAGES = ["billing:account_detail", "billing:receipt_list", "billing:movement_list"]


@pytest.fixture
def account(owner):
    return services.open_account(user=owner)


def do_work(user, *, label="4 images", held=20, charge=None):
    work = uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=held, label=label)
    if charge is not None:
        services.settle_hold(work_ref=work, charge=charge)
    return work


def text_of(response):
    return " ".join(response.content.decode().split())


def test_the_first_visit_finds_the_free_credits_and_nothing_to_buy_where_none_is_sold(owner_client, settings):
    settings.PAYMENTS = "off"
    response = owner_client.get(reverse("billing:account_detail"))
    assert "125" in text_of(response)
    assert "Free plan" in text_of(response)
    assert "does not take payments yet" in text_of(response)
    assert "<form" not in response.content.decode().partition('<main id="main"')[2].partition("</main>")[0]


def test_the_balance_tells_available_from_held(owner, owner_client):
    do_work(owner)
    response = owner_client.get(reverse("billing:account_detail"))
    assert "<dt>Available</dt><dd>105</dd>" in text_of(response)
    assert "<dt>Held for work under way</dt><dd>20</dd>" in text_of(response)


def test_the_balance_polls_itself_while_something_is_held(owner, owner_client):
    work = do_work(owner)
    url = reverse("billing:account_detail")
    headers = {"HX-Request": "true"}
    assert f'hx-get="{url}?rev=105.20.0.0"' in text_of(owner_client.get(url))
    assert owner_client.get(url, {"rev": "105.20.0.0"}, headers=headers).status_code == 204
    services.settle_hold(work_ref=work, charge=5)
    fragment = text_of(owner_client.get(url, {"rev": "105.20.0.0"}, headers=headers))
    assert fragment.startswith("<section")
    assert "<dd>120</dd>" in fragment
    assert "hx-get" not in fragment


def test_what_expires_says_when(account, owner_client):
    day = timezone.now() + timedelta(days=12)
    services.grant_credits(account=account, source="plan", source_ref="inv:1", amount=60, expires_at=day)
    text = text_of(owner_client.get(reverse("billing:account_detail")))
    assert f'<time datetime="{timezone.localtime(day).isoformat()}">' in text
    assert text.index("<td>Plan</td>") < text.index("<td>Free plan</td>")


def test_debt_and_pause_are_said_at_the_top(account, owner_client):
    owe(account, 200, timezone.now())
    CreditAccount.objects.update(billing_hold=True)
    text = text_of(owner_client.get(reverse("billing:account_detail")))
    assert "75 credits are owed" in text
    assert "Spending is paused" in text


def test_receipts_add_up_the_slices_of_a_piece_of_work(owner, owner_client):
    work = do_work(owner, label="Cats at 64 px", held=30, charge=30)
    services.hold_credits(user=owner, work_ref=work, amount=25, label="Cats at 64 px", slice_number=1)
    services.settle_hold(work_ref=work, charge=10, slice_number=1)
    services.hold_credits(user=owner, work_ref=work, amount=7, label="Cats at 64 px", slice_number=2)
    text = text_of(owner_client.get(reverse("billing:receipt_list")))
    assert text.count("<td>Cats at 64 px<br>") == 1
    assert '<td class="num">7</td> <td class="num">40</td> <td class="num">15</td>' in text


def test_movements_are_in_the_users_words(owner, account, owner_client):
    do_work(owner, charge=15)
    text = text_of(owner_client.get(reverse("billing:movement_list")))
    for words in (
        "Credits added",
        "Free plan",
        "Held",
        "Charged",
        "Released",
        "4 images",
        "+125",
        "−20",
        "+5",
    ):
        assert words in text, words


@pytest.mark.parametrize("name", ["billing:receipt_list", "billing:movement_list"])
def test_long_lists_are_read_page_by_page(
    owner, owner_client, name, monkeypatch, django_assert_max_num_queries
):
    for number in range(60):
        do_work(owner, label=f"work {number:02}", held=1, charge=1)
    seen, url = [], reverse(name)
    while url:
        with django_assert_max_num_queries(10):
            response = owner_client.get(url)
        rows = response.context.get("receipts") or response.context["movements"]
        seen += [row.label if hasattr(row, "label") else row.why for row in rows]
        url = response.context["next_url"]
    wanted = [f"work {number:02}" for number in reversed(range(60))]
    assert [label for label in dict.fromkeys(seen) if label.startswith("work")] == wanted


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 40, "٣"])
@pytest.mark.parametrize("name", ["billing:receipt_list", "billing:movement_list"])
def test_a_tampered_cursor_is_400(owner_client, name, cursor):
    assert owner_client.get(reverse(name), {"before": cursor}).status_code == 400


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_reads_nothing_of_the_owners(owner, stranger_client, name):
    do_work(owner, label="the owner's secret", charge=5)
    assert "secret" not in text_of(stranger_client.get(reverse(name)))


@pytest.mark.parametrize("name", PAGES)
def test_in_house_mode_there_are_no_such_pages(owner_client, settings, name):
    settings.CREDITS_ENABLED = False
    assert owner_client.get(reverse(name)).status_code == 404
    home = text_of(owner_client.get(reverse("home")))
    assert "/billing/" not in home


def test_the_foot_of_the_menu_shows_the_balance(owner, owner_client):
    do_work(owner)
    home = text_of(owner_client.get(reverse("home")))
    assert "<strong>105 credits</strong>" in home
    assert "20 held" in home


def test_labels_are_text(owner, owner_client):
    do_work(owner, label="<script>alert(1)</script>", charge=1)
    for name in PAGES[1:]:
        assert "<script>alert" not in text_of(owner_client.get(reverse(name)))


def short_page(problem):
    template = Template('{% include "billing/credits_short.html" %}')
    return " ".join(template.render(Context({"problem": problem})).split())


def test_credits_short_says_what_it_takes_and_what_is_missing():
    text = short_page(CreditsShort(wanted=1000, available=875))
    for words in ('<dd class="num">1,000</dd>', "875", "125", reverse("billing:account_detail")):
        assert words in text
    assert "Missing" not in short_page(AccountBlocked(debt=5))


@pytest.mark.parametrize(
    ("cents", "written"), [(1500, "15 USD"), (1250, "12.50 USD"), (0, "0 USD"), (123400, "1,234 USD")]
)
def test_money_is_written_plainly(cents, written):
    assert Template("{% load credits %}{{ cents|money:'usd' }}").render(Context({"cents": cents})) == written
