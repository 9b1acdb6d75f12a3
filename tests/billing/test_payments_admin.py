"""Refunds by staff: preview, reason, second person, audit; the overview, the export and the clock."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing import inbox, services
from billing.models import Alert, Coupon, CreditAccount, Payment, RefundRequest, StripeEvent
from tests.billing.journey import account_of, buy, objects

pytestmark = pytest.mark.django_db

PAYMENTS = reverse("admin:billing_payment_changelist")
REFUND = reverse("admin:billing_payment_refund")
REQUESTS = reverse("admin:billing_refundrequest_changelist")
OVERVIEW = reverse("admin:billing_payment_overview")
EXPORT = reverse("admin:billing_credittxn_export")
CLOCK = reverse("admin:billing_payment_clock")


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def payment(owner):
    buy(owner, pack="large")
    return Payment.objects.get()


@pytest.fixture
def staff_client(staff):
    return signed_in(staff)


@pytest.fixture
def second_client(make_user):
    return signed_in(make_user("second@example.org", is_staff=True, is_superuser=True))


@pytest.fixture
def reader_client(make_user):
    reader = make_user("reader@example.org", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    reader.user_permissions.remove(Permission.objects.get(codename="view_overview"))
    return signed_in(reader)


def ask(client, payment, **values):
    values = {"cents": 900, "reason": "The pictures were black", "token": uuid.uuid4(), "do": "1"} | values
    return client.post(f"{REFUND}?payment={payment.pk}", values)


def text_of(response):
    return " ".join(response.content.decode().split())


def test_the_page_shows_what_a_refund_would_do(owner, staff_client, payment):
    work = uuid.uuid4()
    services.hold_credits(user=owner, work_ref=work, amount=1125, label="work")
    services.settle_hold(work_ref=work, charge=1125)
    text = text_of(staff_client.get(f"{REFUND}?payment={payment.pk}"))
    assert 'name="cents" value="7200"' in text
    assert "<td>4,000</td>" in text
    values = {"cents": 9000, "reason": "x", "token": uuid.uuid4(), "look": "1"}
    looked = text_of(staff_client.post(f"{REFUND}?payment={payment.pk}", values))
    assert "<td>1,000</td>" in looked
    assert "needs a second person" in looked
    assert not RefundRequest.objects.exists()


def test_a_small_refund_is_done_and_audited(owner, staff, staff_client, payment):
    token = uuid.uuid4()
    for _ in range(2):
        assert ask(staff_client, payment, token=token)["Location"] == REQUESTS
    assert account_of(owner).available == 125 + 4500
    assert len(objects("refund")) == 1
    entry = LogEntry.objects.filter(object_id=str(payment.pk)).last()
    assert entry.user == staff
    assert entry.change_message == "Refund of 900 cents (done): The pictures were black"


NONSENSE = [{"reason": ""}, {"reason": " "}, {"cents": 0}, {"cents": 10**6}, {"token": "x"}]


@pytest.mark.parametrize("values", NONSENSE)
def test_without_a_reason_or_with_nonsense_it_is_422(owner, staff_client, payment, values):
    """Abuse case 66."""
    assert ask(staff_client, payment, **values).status_code == 422
    assert account_of(owner).available == 5125
    assert objects("refund") == []


def test_a_large_refund_waits_for_somebody_else(owner, staff_client, second_client, payment):
    ask(staff_client, payment, cents=9000)
    request = RefundRequest.objects.get()
    chosen = {"action": "approve", "_selected_action": [str(request.pk)]}
    assert "Somebody else has to decide" in text_of(staff_client.post(REQUESTS, chosen, follow=True))
    assert account_of(owner).available == 5125
    second_client.post(REQUESTS, chosen)
    request.refresh_from_db()
    assert (request.state, account_of(owner).available) == ("done", 125)
    assert LogEntry.objects.filter(change_message="Decided: done").exists()


def test_it_is_turned_down_with_a_reason_that_everybody_concerned_reads(
    owner, staff_client, second_client, reader_client, payment
):
    ask(staff_client, payment, cents=9000)
    request = RefundRequest.objects.get()
    chosen = {"action": "ask_to_reject", "_selected_action": [str(request.pk)]}
    page = second_client.post(REQUESTS, chosen)["Location"]
    assert "90 USD" in text_of(second_client.get(page))
    assert reader_client.post(page, {"reason": "x", "token": uuid.uuid4()}).status_code == 403
    assert second_client.post(page, {"reason": " ", "token": uuid.uuid4()}).status_code == 422
    why = {"reason": "The pictures are fine", "token": uuid.uuid4()}
    assert "Somebody else has to decide" in text_of(staff_client.post(page, why, follow=True))
    assert RefundRequest.objects.get().state == "waiting"

    second_client.post(page, why)

    request.refresh_from_db()
    assert (request.state, request.problem) == ("rejected", "The pictures are fine")
    assert account_of(owner).available == 5125
    audit = LogEntry.objects.get(object_id=str(request.pk))
    assert audit.change_message == "Decided: rejected: The pictures are fine"
    for address in (REQUESTS, reverse("admin:billing_payment_change", args=[payment.pk])):
        assert "The pictures are fine" in text_of(staff_client.get(address))
    for query in ("", "refund=x", f"refund={uuid.uuid4()}"):
        assert second_client.get(f"{page.split('?')[0]}?{query}").status_code == 404


def test_readers_read_and_do_nothing(owner, reader_client, payment):
    assert reader_client.get(PAYMENTS).status_code == 200
    assert reader_client.get(f"{REFUND}?payment={payment.pk}").status_code == 403
    assert ask(reader_client, payment).status_code == 403
    assert reader_client.get(OVERVIEW).status_code == 403
    assert reader_client.get(EXPORT).status_code == 403
    assert reader_client.get(CLOCK).status_code == 403
    assert LogEntry.objects.filter(change_message__startswith="Refused").count() == 5
    assert account_of(owner).available == 5125


@pytest.mark.parametrize(
    "name", ["payment", "refundrequest", "invoice", "subscription", "checkout", "offer", "letter"]
)
def test_rows_are_read_and_never_edited(staff_client, payment, name):
    assert staff_client.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
    assert staff_client.get(reverse(f"admin:billing_{name}_add")).status_code == 403


def test_the_action_leads_to_the_page(staff_client, payment):
    chosen = {"action": "ask_for_refund", "_selected_action": [payment.pk]}
    assert staff_client.post(PAYMENTS, chosen)["Location"] == f"{REFUND}?payment={payment.pk}"
    for query in ("", "payment=x", "payment=999999"):
        assert staff_client.get(f"{REFUND}?{query}").status_code == 404


def test_the_overview_answers_the_owners_questions(owner, stranger, staff_client, payment):
    buy(stranger, plan="standard")
    ask(staff_client, payment, cents=900)
    services.grant_goodwill(
        account=account_of(owner), amount=40, reason="sorry", actor=services.SYSTEM, token=uuid.uuid4()
    )
    text = text_of(staff_client.get(OVERVIEW))
    cells = ("<td>4,500</td>", "<td>625</td>", "<td>250</td>", "<td>40</td>")
    for words in ("105 USD", "9 USD", "96 USD", *cells):
        assert words in text, words
    assert "<td>500</td>" in text  # taken back


def test_the_ledger_is_exported_whole_and_harmless(owner, staff, staff_client, payment):
    account = account_of(owner)
    services.grant_goodwill(
        account=account, amount=1, reason='=HYPERLINK("x")', actor=services.SYSTEM, token=uuid.uuid4()
    )
    response = staff_client.get(EXPORT)
    lines = response.getvalue().decode().splitlines()
    assert lines[0].startswith("at,account,kind,key,bucket,credits")
    assert len(lines) == 1 + 6
    assert "'=HYPERLINK" in lines[-1]
    assert LogEntry.objects.filter(change_message="Exported the ledger", user=staff).exists()


def test_the_clock_lets_a_month_pass_in_the_sandbox_only(owner, staff_client, settings):
    buy(owner, plan="standard")
    assert staff_client.post(CLOCK, {"days": 32})["Location"] == CLOCK
    inbox.drain_inbox()
    # The former month's credits have lapsed with it: one grant is left, of the new month.
    months = account_of(owner).grants.filter(source="plan").order_by("pk")
    assert list(months.values_list("remaining", flat=True)) == [0, 625]
    assert staff_client.post(CLOCK, {"days": 0}).status_code == 422
    settings.PAYMENTS = "stripe"
    assert staff_client.get(CLOCK).status_code == 404


def test_a_debt_is_let_off_with_a_reason(owner, staff_client, payment):
    CreditAccount.objects.get()
    work = uuid.uuid4()
    services.hold_credits(user=owner, work_ref=work, amount=5125, label="work")
    services.settle_hold(work_ref=work, charge=5125)
    ask(staff_client, payment, cents=900)
    account = account_of(owner)
    assert account.debt == 500
    page = f"{reverse('admin:billing_creditaccount_waive')}?account={account.pk}"
    assert "500 owed" in text_of(staff_client.get(page))
    assert staff_client.post(page, {"reason": "", "token": uuid.uuid4()}).status_code == 422
    staff_client.post(page, {"reason": "ours", "token": uuid.uuid4()})
    assert account_of(owner).debt == 0
    assert LogEntry.objects.filter(change_message="Let off 500 credits: ours").exists()


def test_alerts_are_settled_and_events_worked_in_again(owner, staff_client, payment):
    alert = Alert.objects.create(ref="fraud:1", kind="fraud", account=account_of(owner))
    CreditAccount.objects.update(billing_hold=True)
    chosen = {"action": "resolve", "_selected_action": [alert.pk]}
    staff_client.post(reverse("admin:billing_alert_changelist"), chosen)
    assert not account_of(owner).billing_hold
    event = StripeEvent.objects.filter(state="processed").first()
    chosen = {"action": "try_again", "_selected_action": [event.pk]}
    staff_client.post(reverse("admin:billing_stripeevent_changelist"), chosen)
    assert StripeEvent.objects.get(pk=event.pk).state == "pending"
    inbox.drain_inbox()
    assert account_of(owner).available == 5125


def test_a_coupon_is_taken_to_stripe_and_only_switched_off_later(
    staff_client, django_capture_on_commit_callbacks
):
    page = reverse("admin:billing_coupon_add")
    values = {"code": "spring", "percent_off": 20, "duration": "once", "is_active": "on"}
    with django_capture_on_commit_callbacks(execute=True):
        assert staff_client.post(page, values).status_code == 302
    coupon = Coupon.objects.get()
    assert objects("promotion_code")[0].data["code"] == "spring"
    page = reverse("admin:billing_coupon_change", args=[coupon.pk])
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(page, {"percent_off": 99})
    coupon.refresh_from_db()
    assert (coupon.percent_off, coupon.is_active) == (20, False)
    assert objects("promotion_code")[0].data["active"] is False
