"""Buying, page by page: what is said, what is sent, and what the server makes of it."""

import re
import uuid

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import reverse

from billing import inbox, refunds
from billing.models import Checkout, CreditAccount, CreditGrant, Payment, Plan
from tests.billing.journey import account_of, buy, objects
from tests.wallets import set_credits

pytestmark = pytest.mark.django_db

ACCOUNT = reverse("billing:account_detail")
BUY = reverse("billing:checkout_create")
BOUGHT = reverse("billing:checkout_detail")
PORTAL = reverse("billing:sandbox_portal")
LISTS = [reverse(f"billing:{name}_list") for name in ("receipt", "movement", "invoice")]
PAGES = [ACCOUNT, BUY, BOUGHT, PORTAL, *LISTS, reverse("billing:pricing")]


def text_of(response):
    return " ".join(response.content.decode().split())


def begin(client, offer, **values):
    """Go to the payment page; return its address."""
    response = client.post(BUY, {"offer": offer, **values})
    assert response.status_code == 302, text_of(response)
    return response["Location"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_it_is_played(owner_client, page):
    text = text_of(owner_client.get(page))
    assert "<strong>Sandbox</strong>" in text
    assert "does not take payments" not in text


def test_from_the_card_to_the_credits_and_back(owner, owner_client):
    page = text_of(owner_client.get(ACCOUNT, {"return_to": "/generate/?count=4"}))
    assert f"{BUY}?offer=pack:small&amp;return_to=%2Fgenerate%2F%3Fcount%3D4" in page
    confirm = text_of(owner_client.get(BUY, {"offer": "pack:small", "return_to": "/generate/?count=4"}))
    assert "Go to the payment of 12 USD" in confirm
    address = begin(owner_client, "pack:small", return_to="/generate/?count=4")
    assert "A card that is declined" in text_of(owner_client.get(address))
    declined = owner_client.post(address, {"card": "declined", "ending": "back"})
    assert declined.status_code == 422
    assert "The card was declined" in text_of(declined)
    asked = owner_client.post(address, {"card": "asks", "ending": "back"})
    assert "3-D Secure" in text_of(asked)
    done = owner_client.post(address, {"card": "asks", "ending": "back", "do": "authorise"})
    assert BOUGHT in done["Location"]
    bought = text_of(owner_client.get(done["Location"]))
    assert "500 credits is paid" in bought
    assert 'href="/generate/?count=4"' in bought
    assert account_of(owner).available == 625
    inbox.drain_inbox()
    assert account_of(owner).available == 625


@pytest.mark.parametrize("ending", ["close", "late", "twice", "slow"])
def test_however_the_tab_is_left_the_credits_come_once(owner, owner_client, ending):
    address = begin(owner_client, "pack:small")
    owner_client.post(address, {"card": "works", "ending": ending})
    inbox.drain_inbox()
    if ending == "late":
        assert account_of(owner).available == 125
        owner_client.post(PORTAL, {"do": "release"})
    if ending == "slow":
        assert "on its way" in text_of(owner_client.get(ACCOUNT))
        owner_client.post(PORTAL, {"do": "arrive", "name": objects("payment_intent")[0].pk})
    inbox.drain_inbox()
    assert account_of(owner).available == 625


def test_a_tampered_price_is_the_servers_price(owner, owner_client):
    """Abuse case 58."""
    address = begin(owner_client, "pack:small", price_cents=1, amount=1, credits=10**6, price="price_1")
    owner_client.post(address, {"card": "works", "ending": "back", "amount": 1, "price_cents": 1})
    inbox.drain_inbox()
    assert Payment.objects.get().amount_cents == 1200
    assert CreditGrant.objects.get(source="pack").amount == 500


@pytest.mark.parametrize("offer", ["", "pack:", "pack:gold", "plan:free", "plan:house", "price_1", "x:y:z"])
def test_what_is_not_sold_cannot_be_bought(owner_client, offer):
    assert owner_client.post(BUY, {"offer": offer}).status_code == 422
    assert not Checkout.objects.exists()


@pytest.mark.parametrize(
    "evil", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "x" * 5000]
)
def test_one_comes_back_to_the_studio_and_nowhere_else(owner_client, evil):
    begin(owner_client, "pack:small", return_to=evil)
    assert Checkout.objects.get().return_to == ""


def test_a_strangers_session_invoice_and_payment_are_not_there(owner, stranger, stranger_client):
    buy(owner, plan="standard")
    buy(stranger, pack="small")
    session = objects("checkout.session", mode="subscription")[0].pk
    invoice = account_of(owner).invoices.get().stripe_id
    name = account_of(owner).subscriptions.get().stripe_id
    checkout, page = reverse("billing:sandbox_checkout"), reverse("billing:sandbox_invoice")
    assert stranger_client.get(checkout, {"session": session}).status_code == 404
    assert stranger_client.get(page, {"invoice": invoice}).status_code == 404
    assert stranger_client.post(PORTAL, {"do": "cancel", "name": name}).status_code == 404
    assert "SANDBOX-00001" not in text_of(stranger_client.get(reverse("billing:invoice_list")))
    assert account_of(owner).subscriptions.get().cancel_at is None


def test_an_upgrade_is_one_button(owner, owner_client):
    buy(owner, plan="standard")
    assert "Change now for 35 USD" in text_of(owner_client.get(BUY, {"offer": "plan:pro"}))
    assert owner_client.post(BUY, {"offer": "plan:pro"})["Location"] == ACCOUNT
    assert account_of(owner).plan_id == "pro"
    assert owner_client.post(BUY, {"offer": "plan:standard"}).status_code == 409


def test_the_portal_cancels_reduces_and_changes_the_card(owner, owner_client):
    buy(owner, plan="pro")
    subscription = account_of(owner).subscriptions.get()
    assert PORTAL in owner_client.post(reverse("billing:portal_open"))["Location"]
    page = owner_client.get(PORTAL).content.decode()
    price = re.search(r'name="price" value="(price_\w+)"', page)[1]
    owner_client.post(PORTAL, {"do": "reduce", "name": subscription.stripe_id, "price": price})
    inbox.drain_inbox()
    assert "Pro becomes Standard on" in text_of(owner_client.get(ACCOUNT))
    owner_client.post(PORTAL, {"do": "cancel", "name": subscription.stripe_id})
    inbox.drain_inbox()
    assert "Pro is canceled and ends on" in text_of(owner_client.get(ACCOUNT))
    owner_client.post(PORTAL, {"do": "resume", "name": subscription.stripe_id})
    owner_client.post(PORTAL, {"do": "card", "card": "declined"})
    inbox.drain_inbox()
    assert account_of(owner).subscriptions.get().cancel_at is None
    assert objects("customer")[0].secret["card"] == "declined"


def test_an_unpaid_renewal_says_until_when_and_where_to_pay(owner, owner_client):
    from billing import sandbox

    buy(owner, plan="standard")
    owner_client.post(PORTAL, {"do": "card", "card": "declined"})
    sandbox.advance(32)
    inbox.drain_inbox()
    text = text_of(owner_client.get(ACCOUNT))
    assert "An invoice over 15 USD could not be paid" in text
    assert "You keep Standard until" in text
    address = account_of(owner).invoices.get(needs_attention=True).page_url
    assert owner_client.post(address, {"card": "works"}).status_code == 302
    inbox.drain_inbox()
    assert "could not be paid" not in text_of(owner_client.get(ACCOUNT))


def test_disputes_are_clicked_and_seen(owner, owner_client):
    buy(owner, pack="small")
    name = Payment.objects.get().stripe_id
    owner_client.post(PORTAL, {"do": "dispute", "name": name})
    inbox.drain_inbox()
    assert "Spending is paused" in text_of(owner_client.get(ACCOUNT))
    owner_client.post(PORTAL, {"do": "win", "name": name})
    inbox.drain_inbox()
    assert "Spending is paused" not in text_of(owner_client.get(ACCOUNT))
    assert account_of(owner).available == 625


def test_a_coupon_makes_it_cheaper_and_the_credits_stay_the_same(owner, owner_client):
    from billing.models import Coupon
    from billing.shop import sync_coupon

    sync_coupon(Coupon.objects.create(code="welcome", percent_off=50, duration="once"))
    address = begin(owner_client, "plan:standard")
    owner_client.post(address, {"do": "code", "code": "welcome", "ending": ""})
    assert "7.50 USD" in text_of(owner_client.get(address))
    owner_client.post(address, {"card": "works", "ending": "back"})
    inbox.drain_inbox()
    assert Payment.objects.get().amount_cents == 750
    assert CreditGrant.objects.get(source="plan").amount == 625


def test_with_nothing_left_to_pay_the_plan_comes_too(owner, owner_client):
    from billing.models import Coupon
    from billing.shop import sync_coupon

    sync_coupon(Coupon.objects.create(code="friend", percent_off=100, duration="once"))
    address = begin(owner_client, "plan:standard")
    owner_client.post(address, {"do": "code", "code": "friend", "ending": ""})
    owner_client.post(address, {"card": "works", "ending": "back"})
    inbox.drain_inbox()
    assert (account_of(owner).plan_id, account_of(owner).available) == ("standard", 750)
    assert Payment.objects.get().amount_cents == 0


def test_tax_is_shown_and_listed(owner, owner_client, settings):
    settings.STRIPE_TAX = True
    address = begin(owner_client, "pack:medium")
    assert "5.70 USD" in text_of(owner_client.get(address))
    owner_client.post(address, {"card": "works", "ending": "back"})
    inbox.drain_inbox()
    text = text_of(owner_client.get(reverse("billing:invoice_list")))
    assert "35.70 USD" in text
    assert "5.70 USD" in text


def test_credits_short_offers_what_fits_and_comes_back_to_the_filled_form(owner, owner_client):
    from catalog.services.seed import seed_licences

    seed_licences()
    set_credits(owner, 5)
    page = text_of(owner_client.get(f"{BUY}?offer=pack:small&return_to=/generate/"))
    assert "500 credits" in page
    from django.template.loader import render_to_string
    from django.test import RequestFactory

    from billing.exceptions import CreditsShort

    request = RequestFactory().post("/generate/", {"count": "16", "csrfmiddlewaretoken": "x"})
    request.user = owner
    problem = CreditsShort(wanted=2000, available=5)
    text = render_to_string("billing/credits_short.html", {"problem": problem}, request)
    assert "offer=pack:large" in text
    assert "offer=plan:pro" in text
    assert "return_to=%2Fgenerate%2F%3Fcount%3D16" in text
    assert "csrf" not in text


def test_where_nothing_is_sold_there_is_nothing_to_buy(owner_client, settings):
    settings.PAYMENTS = "off"
    for name in ("checkout_create", "checkout_detail", "sandbox_checkout", "sandbox_portal"):
        assert owner_client.get(reverse(f"billing:{name}")).status_code == 404
    assert "offer=pack" not in text_of(owner_client.get(ACCOUNT))
    settings.PAYMENTS = "stripe"
    assert owner_client.get(PORTAL).status_code == 404


def test_the_pricing_page_makes_the_promise_to_everybody():
    text = text_of(Client().get(reverse("billing:pricing")))
    assert "Credits are held when a job starts and charged for what was delivered" in text
    assert "1 AI Training free" in text
    assert "Begin with 125 free credits" in text
    Plan.objects.filter(slug="free").update(credits=200)
    assert "Begin with 200 free credits" in text_of(Client().get(reverse("billing:pricing")))


def test_the_newest_invoice_stands_first(owner, owner_client):
    for pack in ("small", "medium"):
        buy(owner, pack=pack)
    text = text_of(owner_client.get(reverse("billing:invoice_list")))
    assert 0 < text.index("SANDBOX-00002") < text.index("SANDBOX-00001")


def test_what_came_in_stands_beside_the_receipts(owner, owner_client, staff):
    buy(owner, pack="small")
    payment = Payment.objects.get()
    refunds.request_refund(payment=payment, cents=600, reason="asked", staff=staff, token=uuid.uuid4())
    text = text_of(owner_client.get(ACCOUNT))
    rows = text.partition("What came in</h2>")[2].partition("</tbody>")[0].split("<tr>")[2:]
    assert "Pack: 500 credits, 12 USD" in rows[0]
    assert '<td class="num">500</td> <td class="num">250</td>' in rows[0]
    assert "Free plan" in rows[1]
    assert '<td class="num">125</td> <td class="num"></td>' in rows[1]


def test_prices_are_found_from_every_page(owner_client, settings):
    pricing = reverse("billing:pricing")
    for client, page in ((Client(), reverse("home")), (Client(), pricing), (owner_client, reverse("home"))):
        assert f'href="{pricing}"' in text_of(client.get(page))
    settings.CREDITS_ENABLED = False
    for client in (Client(), owner_client):
        assert f'href="{pricing}"' not in text_of(client.get(reverse("home")))


def test_the_relaxed_queue_is_told_with_the_plan_that_has_it():
    text = text_of(Client().get(reverse("billing:pricing")))
    assert text.count("<dt>Images beyond the credits</dt><dd>free, relaxed</dd>") == 1
    assert "Relaxed, on Unlimited: an order of images for which your credits do not suffice" in text
    assert "One of those comes to every 10 paid orders" in text


def test_the_button_says_when_an_image_is_free(owner):
    template = Template('{% include "billing/cost_words.html" %}')

    def words(cost):
        return template.render(Context({"credits": cost, "user": owner})).rstrip()

    set_credits(owner, 10)
    assert [words(0), words(1), words(15)] == ["", ", 1 credit", ", 15 credits"]
    CreditAccount.objects.update(plan="unlimited")
    assert [words(10), words(15)] == [", 10 credits", ", free in the relaxed queue"]
    CreditAccount.objects.update(billing_hold=True)
    assert words(15) == ", 15 credits"


def test_a_page_costs_few_queries(owner, owner_client, django_assert_max_num_queries):
    buy(owner, plan="standard")
    with django_assert_max_num_queries(16):
        owner_client.get(ACCOUNT)
