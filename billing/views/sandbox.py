"""The sandbox's pages: what Stripe's own would be, with test cards in place of a card's fields."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.middleware import AccountHttpRequest
from billing import sandbox
from billing.models import Offer, SandboxDelivery, SandboxObject
from billing.sandbox_api import checkouts, money, store, subscriptions
from billing.sandbox_api.requests import RequestError
from billing.services import open_account
from billing.views.requests import user_of, where_payments_are_played

_METHODS = ["GET", "HEAD", "POST"]

CARDS = {
    "works": gettext_lazy("A card that works"),
    "declined": gettext_lazy("A card that is declined"),
    "asks": gettext_lazy("A card that asks for 3-D Secure"),
}
# How somebody may leave the page after paying; the studio has to cope with each.
ENDINGS = {
    "back": gettext_lazy("Pay, and come back"),
    "close": gettext_lazy("Pay, and close the tab"),
    "late": gettext_lazy("Pay, with the webhook late"),
    "twice": gettext_lazy("Pay, with every webhook three times"),
    "slow": gettext_lazy("Pay by a transfer that takes days"),
}


# Stripe's words for how a payment and a dispute stand, in ours.
_STATES = {
    "succeeded": gettext_lazy("paid"),
    "processing": gettext_lazy("on its way"),
    "requires_action": gettext_lazy("waits for 3-D Secure"),
    "requires_payment_method": gettext_lazy("not paid"),
    "canceled": gettext_lazy("not paid"),
    "needs_response": gettext_lazy("disputed"),
    "won": gettext_lazy("the dispute was won by the studio"),
    "lost": gettext_lazy("the dispute was lost by the studio"),
}


@require_http_methods(_METHODS)
@login_required
@where_payments_are_played
def show_checkout(request: AccountHttpRequest) -> HttpResponse:
    """The payment page of one's open session."""
    session = _own(request, "checkout.session", request.GET.get("session", ""))
    context: dict[str, Any] = {"session": session, "cards": CARDS, "endings": ENDINGS}
    if request.method != "POST" or session is None:
        status = HTTPStatus.OK if session or request.method != "POST" else HTTPStatus.CONFLICT
        return render(request, "billing/sandbox_checkout.html", context, status=status)
    if "code" in request.POST and request.POST.get("do") == "code":
        is_known = sandbox.act(partial(checkouts.apply_code, session.pk, request.POST["code"].strip()))
        messages.info(request, _("The code counts.") if is_known else _("There is no such code to use."))
        return redirect(request.get_full_path())
    card, ending = request.POST.get("card", "works"), request.POST.get("ending", "back")
    is_authorised = request.POST.get("do") == "authorise"
    try:
        outcome = sandbox.act(
            partial(_pay, session.pk, card=card, ending=ending, is_authorised=is_authorised)
        )
    except RequestError as error:
        messages.error(request, str(error))
        return redirect("billing:account_detail")
    if outcome in ("declined", "requires_action"):
        context |= {"outcome": outcome, "card": card, "ending": ending}
        return render(
            request, "billing/sandbox_checkout.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    if ending == "close":
        return redirect("home")
    return redirect(session.data["success_url"].replace("{CHECKOUT_SESSION_ID}", session.pk))


def _pay(name: str, *, card: str, ending: str, is_authorised: bool) -> str:
    newest = SandboxDelivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    slow = ending == "slow" and store.get("checkout.session", name).data["mode"] == "payment"
    outcome = checkouts.pay(name, card=card, is_authorised=is_authorised, is_slow=slow)
    fresh = SandboxDelivery.objects.filter(pk__gt=newest)
    if ending == "late":
        fresh.update(is_held_back=True)
    if ending == "twice":
        again = [SandboxDelivery(event_id=event) for event in fresh.values_list("event_id", flat=True)]
        SandboxDelivery.objects.bulk_create(again * 2)
    return outcome


@require_http_methods(_METHODS)
@login_required
@where_payments_are_played
def show_invoice(request: AccountHttpRequest) -> HttpResponse:
    """The page of one invoice: to read it, and to pay it while it is open."""
    invoice = _own(request, "invoice", request.GET.get("invoice", ""))
    if request.method == "POST" and invoice is not None:
        card = request.POST.get("card", "works")
        is_authorised = request.POST.get("do") == "authorise"
        if invoice.data["status"] == "open":
            pay = partial(subscriptions.pay_invoice, invoice, card=card, is_authorised=is_authorised)
            _do(request, pay)
        return redirect(request.get_full_path())
    status = HTTPStatus.CONFLICT if request.method == "POST" else HTTPStatus.OK
    context = {"invoice": invoice, "cards": CARDS}
    return render(request, "billing/sandbox_invoice.html", context, status=status)


@require_http_methods(_METHODS)
@login_required
@where_payments_are_played
def show_portal(request: AccountHttpRequest) -> HttpResponse:
    """The customer's own page: card, plan, payments; and what their bank may do with those."""
    customer = _customer(request)
    if request.method == "POST" and customer is not None:
        act = _portal_act(request, customer)
        if act is None:
            raise Http404
        _do(request, act)
        return redirect(request.get_full_path())
    subscription = None
    payments: list[SandboxObject] = []
    if customer is not None:
        running = store.find("subscription", customer=customer.pk)
        subscription = next((row for row in running if row.data["status"] != "canceled"), None)
        payments = store.find("payment_intent", customer=customer.pk)
    context = {
        "customer": customer,
        "cards": CARDS,
        "subscription": subscription,
        "smaller": _smaller(subscription),
        "payments": [_payment(row) for row in payments],
        "held_back": SandboxDelivery.objects.filter(is_held_back=True).count(),
    }
    status = HTTPStatus.CONFLICT if request.method == "POST" else HTTPStatus.OK
    return render(request, "billing/sandbox_portal.html", context, status=status)


def _portal_act(request: AccountHttpRequest, customer: SandboxObject) -> Callable[[], Any] | None:
    """Return what a button of the portal does; None for what is not the customer's own."""
    do, name = request.POST.get("do", ""), request.POST.get("name", "")
    if do == "card" and request.POST.get("card") in CARDS:
        customer.secret["card"] = request.POST["card"]
        return partial(store.change, customer)
    if do == "release":
        return _release_held_back
    thing = SandboxObject.objects.filter(pk=name, data__customer=customer.pk).first()
    if thing is None:
        return None
    price = request.POST.get("price", "")
    acts: dict[str, Callable[[], Any]] = {
        "cancel": partial(subscriptions.cancel_at_end, name, is_canceled=True),
        "resume": partial(subscriptions.cancel_at_end, name, is_canceled=False),
        "reduce": partial(subscriptions.reduce_at_end, name, price),
        "dispute": partial(money.open_dispute, name),
        "warn": partial(money.warn_of_fraud, name),
        "win": partial(_decide_dispute, name, is_won=True),
        "lose": partial(_decide_dispute, name, is_won=False),
        "arrive": partial(_arrive, name, is_paid=True),
        "bounce": partial(_arrive, name, is_paid=False),
        "fail_refund": partial(_fail_refunds, name),
    }
    return acts.get(do)


def _release_held_back() -> None:
    SandboxDelivery.objects.filter(is_held_back=True).update(is_held_back=False)


def _decide_dispute(payment: str, *, is_won: bool) -> None:
    for dispute in store.find("dispute", payment_intent=payment):
        if dispute.data["status"] not in ("won", "lost"):
            money.close_dispute(dispute.pk, is_won=is_won)


def _arrive(payment: str, *, is_paid: bool) -> None:
    for session in store.find("checkout.session", payment_intent=payment):
        checkouts.arrive(session.pk, is_paid=is_paid)


def _fail_refunds(payment: str) -> None:
    for refund in store.find("refund", payment_intent=payment):
        money.fail_refund(refund.pk)


def _do(request: AccountHttpRequest, act: Callable[[], Any]) -> None:
    try:
        sandbox.act(act)
    except RequestError as error:
        messages.error(request, str(error))


def _payment(row: SandboxObject) -> dict[str, Any]:
    dispute = next(iter(store.find("dispute", payment_intent=row.pk)), None)
    refunds = store.find("refund", payment_intent=row.pk)
    return {
        "id": row.pk,
        "amount": row.data["amount"],
        "currency": row.data["currency"],
        "status": row.data["status"],
        "dispute": dispute,
        "refunds": refunds,
        "words": _in_words(row, dispute, refunds),
    }


def _in_words(payment: SandboxObject, dispute: SandboxObject | None, refunds: list[SandboxObject]) -> str:
    states = [row.data["status"] for row in (payment, dispute) if row is not None]
    words = [str(_STATES.get(state, state)) for state in states]
    if any(refund.data["status"] == "succeeded" for refund in refunds):
        words.append(_("refunded"))
    return ", ".join(words)


def _smaller(subscription: SandboxObject | None) -> list[Offer]:
    if subscription is None:
        return []
    price = subscriptions.item_of(subscription)["price"]["unit_amount"]
    offers = Offer.objects.filter(kind=Offer.Kind.PLAN, is_current=True, price_cents__lt=price)
    return list(offers.select_related("plan"))


def _customer(request: AccountHttpRequest) -> SandboxObject | None:
    linked = open_account(user=user_of(request)).customers.filter(unlinked_at__isnull=True).first()
    return SandboxObject.objects.filter(pk=linked.stripe_id).first() if linked else None


def _own(request: AccountHttpRequest, kind: str, name: str) -> SandboxObject | None:
    """Return one's own object of that name, None without a name. Raises Http404 for others' and none."""
    if not name:
        return None
    customer = _customer(request)
    found = SandboxObject.objects.filter(pk=name, kind=kind).first()
    if customer is None or found is None or found.data["customer"] != customer.pk:
        raise Http404
    return found
