"""Buying a plan or a pack, and what comes after."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.middleware import AccountHttpRequest
from billing import buying, selectors
from billing.exceptions import BillingError, NothingSold
from billing.models import FREE_PLAN, Checkout, Pack, Plan
from billing.services import open_account
from billing.shop import find_sold
from billing.views.requests import (
    safe_return,
    user_of,
    where_credits_are_used,
    where_payments_are_taken,
)


@require_safe
@where_credits_are_used
def show_pricing(request: AccountHttpRequest) -> HttpResponse:
    """Show plans, packs, prices and the money promise to everybody."""
    plans = list(selectors.offered_plans())
    context = {
        "plans": plans,
        "free_credits": next((plan.credits for plan in plans if plan.pk == FREE_PLAN), 0),
        "packs": selectors.offered_packs(),
        "prices": selectors.current_prices(),
    }
    return render(request, "billing/pricing_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@where_payments_are_taken
def create_checkout(request: AccountHttpRequest) -> HttpResponse:
    """Show what is about to be bought, lead to where it is paid. The price is ours, whatever is sent."""
    values = request.POST if request.method == "POST" else request.GET
    return_to = safe_return(values.get("return_to", ""))
    try:
        sold = find_sold(*values.get("offer", "").partition(":")[::2])
    except NothingSold as error:
        if "offer" in values:
            messages.error(request, str(error))
        context = {"packs": selectors.offered_packs(), "return_to": return_to, "sold": None}
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render(request, "billing/checkout_create.html", context, status=status)
    if request.method != "POST":
        return render(request, "billing/checkout_create.html", _choice(request, sold, return_to))
    try:
        address = _begin(request, sold, return_to)
    except BillingError as error:
        context = _choice(request, sold, return_to) | {"problem": str(error)}
        return render(request, "billing/checkout_create.html", context, status=HTTPStatus.CONFLICT)
    return redirect(address)


def _choice(request: AccountHttpRequest, sold: Plan | Pack, return_to: str) -> dict[str, Any]:
    subscription = buying.current_subscription(open_account(user=user_of(request)))
    is_plan = isinstance(sold, Plan)
    gives_training = isinstance(sold, Plan) and selectors.first_upgrade_gives_training(user_of(request), sold)
    return {
        "sold": sold,
        "offer": f"{'plan' if is_plan else 'pack'}:{sold.pk}",
        "is_plan": is_plan,
        "is_upgrade": is_plan and subscription is not None,
        "subscription": subscription,
        "return_to": return_to,
        "gives_training": gives_training,
    }


def _begin(request: AccountHttpRequest, sold: Plan | Pack, return_to: str) -> str:
    """Begin to buy and return where to go: to the payment page, or home when an upgrade is done already."""
    user = user_of(request)
    if isinstance(sold, Plan) and buying.current_subscription(open_account(user=user)) is not None:
        subscription = buying.upgrade_plan(user=user, plan=sold)
        if not subscription.has_pending_update:
            messages.success(
                request, _("You are on %(plan)s now. Your credits are here.") % {"plan": sold.name}
            )
            return return_to or reverse("billing:account_detail")
        messages.warning(
            request, _("Your bank has not paid yet. Nothing has changed until the invoice below is paid.")
        )
        return reverse("billing:account_detail")
    done = request.build_absolute_uri(reverse("billing:checkout_detail"))
    attempt = buying.begin_checkout(
        user=user,
        sold=sold,
        return_to=return_to,
        success_url=f"{done}?session_id={{CHECKOUT_SESSION_ID}}",
        cancel_url=request.build_absolute_uri(reverse("billing:account_detail")),
    )
    return attempt.url or reverse("billing:checkout_detail")


@require_safe
@login_required
@where_payments_are_taken
def show_checkout(request: AccountHttpRequest) -> HttpResponse:
    """Say what became of the newest purchase; while it is open or on its way, ask Stripe and look again."""
    account = open_account(user=user_of(request))
    attempt = account.checkouts.select_related("offer__plan", "offer__pack").first()
    if attempt is not None and attempt.state in (Checkout.State.OPEN, Checkout.State.PENDING):
        try:
            if attempt.stripe_id:
                buying.sync_checkout(attempt.stripe_id)
        except BillingError:
            # The event brings it, and this page looks again.
            messages.info(request, _("The payment service does not answer now. This page keeps looking."))
        attempt.refresh_from_db()
    context = {
        "attempt": attempt,
        "balance": selectors.balance_of(user_of(request)),
        "has_free_training": selectors.free_training_of(user_of(request)),
    }
    template = "billing/checkout_detail.html#outcome" if request.htmx else "billing/checkout_detail.html"
    return render(request, template, context)


@require_POST
@login_required
@where_payments_are_taken
def open_portal(request: AccountHttpRequest) -> HttpResponse:
    """Lead to the page on which card, plan and invoices are managed."""
    back = request.build_absolute_uri(reverse("billing:account_detail"))
    try:
        address = buying.open_portal(user=user_of(request), return_url=back)
    except NothingSold:
        messages.info(request, _("There is nothing to manage yet: you have not bought anything."))
        return redirect("billing:account_detail")
    except BillingError as error:
        messages.error(request, str(error))
        return redirect("billing:account_detail")
    return redirect(address)


@require_safe
@login_required
@where_credits_are_used
def list_invoices(request: AccountHttpRequest) -> HttpResponse:
    """Show every invoice, and what of it went back."""
    account = open_account(user=user_of(request))
    return render(request, "billing/invoice_list.html", {"invoices": selectors.invoices_of(account)})
