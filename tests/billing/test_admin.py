"""The price list is edited, the ledger is read, goodwill has a reason, and all of it is audited."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing import services
from billing.models import CreditAccount, CreditGrant, CreditHold, CreditTxn, Plan, Price
from billing.selectors import balance_of, ledger_differences, quote_price

pytestmark = pytest.mark.django_db

LEDGER = ("creditaccount", "credittxn", "creditgrant", "credithold")
LIST = reverse("admin:billing_creditaccount_changelist")
GOODWILL = reverse("admin:billing_creditaccount_goodwill")


@pytest.fixture
def account(owner):
    account = services.open_account(user=owner)
    services.hold_credits(user=owner, work_ref=uuid.uuid4(), amount=5, label="work")
    account.refresh_from_db()
    return account


@pytest.fixture
def staff_client(staff):
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def reader_client(make_user):
    """Somebody of the staff who may look at accounts and grant nothing."""
    reader = make_user("reader@example.org", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_creditaccount"))
    client = Client()
    client.force_login(reader)
    return client


def give(client, account, **values):
    values = {"amount": 50, "reason": "The pictures were black", "token": uuid.uuid4()} | values
    return client.post(f"{GOODWILL}?account={account.pk}", values)


@pytest.mark.parametrize("name", LEDGER)
def test_the_ledger_is_read_and_never_edited(account, staff_client, name):
    rows = {
        "creditaccount": account,
        "credittxn": CreditTxn.objects.first(),
        "creditgrant": CreditGrant.objects.first(),
        "credithold": CreditHold.objects.first(),
    }
    assert staff_client.get(reverse(f"admin:billing_{name}_changelist"), {"q": "owner"}).status_code == 200
    page = reverse(f"admin:billing_{name}_change", args=[rows[name].pk])
    assert staff_client.get(page).status_code == 200
    assert staff_client.post(page, {"amount": 1, "available": 1000}).status_code == 403
    assert staff_client.get(reverse(f"admin:billing_{name}_add")).status_code == 403
    assert staff_client.post(reverse(f"admin:billing_{name}_delete", args=[rows[name].pk])).status_code == 403
    assert ledger_differences(account) == {}


@pytest.mark.parametrize("name", LEDGER)
def test_an_action_that_was_not_offered_is_403_and_noted(account, staff_client, name):
    chosen = {"action": "delete_selected", "_selected_action": [account.pk]}
    assert staff_client.post(reverse(f"admin:billing_{name}_changelist"), chosen).status_code == 403
    assert LogEntry.objects.get().change_message == "Refused: action 'delete_selected'"


def test_the_action_leads_to_the_page_that_asks(account, staff_client):
    chosen = {"action": "ask_for_goodwill", "_selected_action": [account.pk]}
    response = staff_client.post(LIST, chosen)
    assert response["Location"] == f"{GOODWILL}?account={account.pk}"
    page = staff_client.get(response["Location"]).content.decode()
    assert "owner@example.org: 120 available, 5 held" in page


def test_goodwill_is_granted_once_a_form_and_audited(account, owner, staff, staff_client):
    token = uuid.uuid4()
    for _ in range(2):
        assert give(staff_client, account, token=token)["Location"] == LIST
    assert balance_of(owner).available == 170
    grant = CreditGrant.objects.get(source="goodwill")
    txn = CreditTxn.objects.get(key=f"grant:{grant.source_ref}")
    assert (txn.actor_id, txn.actor_name) == (str(staff.pk), staff.public_name)
    assert txn.reason == "The pictures were black"
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (staff, str(account.pk))
    assert entry.change_message == "Granted 50 goodwill credits: The pictures were black"


def test_a_form_sent_again_with_another_amount_is_refused(account, owner, staff_client):
    token = uuid.uuid4()
    give(staff_client, account, token=token)
    assert give(staff_client, account, token=token, amount=500).status_code == 422
    assert balance_of(owner).available == 170


@pytest.mark.parametrize(
    "values", [{"reason": ""}, {"reason": "   "}, {"amount": 0}, {"amount": 10**9}, {"token": "x"}]
)
def test_goodwill_without_a_reason_or_with_nonsense_is_422(account, owner, staff_client, values):
    assert give(staff_client, account, **values).status_code == 422
    assert balance_of(owner).available == 120
    assert not LogEntry.objects.exists()


def test_goodwill_needs_its_permission(account, owner, reader_client):
    assert "ask_for_goodwill" not in reader_client.get(LIST).content.decode()
    chosen = {"action": "ask_for_goodwill", "_selected_action": [account.pk]}
    assert reader_client.post(LIST, chosen).status_code == 403
    assert reader_client.get(GOODWILL, {"account": account.pk}).status_code == 403
    assert give(reader_client, account).status_code == 403
    assert balance_of(owner).available == 120
    assert LogEntry.objects.filter(change_message__startswith="Refused").count() == 3


@pytest.mark.parametrize("query", ["", "account=x", "account=999999", "account=" + "9" * 40])
def test_goodwill_for_nobody_is_404(account, staff_client, query):
    assert staff_client.get(f"{GOODWILL}?{query}").status_code == 404


def test_goodwill_for_several_is_granted_to_each(account, owner, stranger, staff_client):
    other = services.open_account(user=stranger)
    values = {"amount": 5, "reason": "Sorry", "token": uuid.uuid4()}
    staff_client.post(f"{GOODWILL}?account={account.pk}&account={other.pk}", values)
    assert [balance_of(owner).available, balance_of(stranger).available] == [125, 130]


def test_a_changed_price_is_a_new_version_and_the_old_one_stays(staff_client):
    price = Price.objects.get(code="picture")
    page = reverse("admin:billing_price_change", args=[price.pk])
    values = {"label": price.label, "credits": 7, "per": 1}
    staff_client.post(page, values)
    assert quote_price("picture").credits == 7
    price.refresh_from_db()
    assert (price.credits, price.is_current) == (5, False)
    current = Price.objects.get(code="picture", is_current=True)
    assert LogEntry.objects.get().object_id == str(current.pk)
    assert staff_client.post(page, values).status_code == 403
    staff_client.post(reverse("admin:billing_price_change", args=[current.pk]), values)
    assert Price.objects.filter(code="picture").count() == 2


def test_a_price_is_never_deleted_and_none_is_for_nothing(staff_client):
    price = Price.objects.get(code="picture")
    assert staff_client.post(reverse("admin:billing_price_delete", args=[price.pk])).status_code == 403
    page = reverse("admin:billing_price_change", args=[price.pk])
    staff_client.post(page, {"label": price.label, "credits": 7, "per": 0})
    assert quote_price("picture").credits == 5


def test_plans_and_packs_are_edited_and_needed_plans_stay(staff_client):
    page = reverse("admin:billing_plan_change", args=["free"])
    form = staff_client.get(page).context["adminform"].form
    values = {name: "" if form.initial[name] in (None, "") else form.initial[name] for name in form.fields}
    staff_client.post(page, {**values, "credits": 200, "slug": "other"})
    assert Plan.objects.get(slug="free").credits == 200
    for slug in ("free", "house"):
        assert staff_client.post(reverse("admin:billing_plan_delete", args=[slug])).status_code == 403
    pack = {"slug": "tiny", "name": "50 credits", "price_cents": 200, "currency": "usd", "credits": 50}
    staff_client.post(reverse("admin:billing_pack_add"), {**pack, "position": 9, "is_offered": "on"})
    assert "50 credits" in staff_client.get(reverse("billing:account_detail")).content.decode()
    assert CreditAccount.objects.count() == 1
