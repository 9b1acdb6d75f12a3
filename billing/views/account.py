"""What somebody has, what it was spent on, and what can be had. Nothing of it exists in house mode."""

from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.middleware import AccountHttpRequest
from accounts.models import User
from billing import history, selectors
from billing.buying import current_subscription
from billing.models import CreditAccount
from billing.services import open_account
from billing.standing import grace_ends
from billing.views.requests import safe_return, user_of, where_credits_are_used

RECEIPTS_SHOWN_FIRST = 5


@require_safe
@login_required
@where_credits_are_used
def show_account(request: AccountHttpRequest) -> HttpResponse:
    """Show balance, plans, packs and the latest receipts; `?rev=` polls the balance while some is held."""
    user = user_of(request)
    account = open_account(user=user)
    balance = selectors.balance_of(user)
    context = {"balance": balance, "grants": selectors.grants_left(account)}
    if request.htmx:
        if request.GET.get("rev") == balance.rev:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return render(request, "billing/account_detail.html#balance", context)
    plans = list(selectors.offered_plans())
    context |= {
        "plan": next((plan for plan in plans if plan.pk == account.plan_id), None) or account.plan,
        "plans": plans,
        "packs": selectors.offered_packs(),
        "prices": selectors.current_prices(),
        "receipts": history.receipts_of(account, size=RECEIPTS_SHOWN_FIRST),
        "incomes": selectors.latest_grants(account, RECEIPTS_SHOWN_FIRST),
        "return_to": safe_return(request.GET.get("return_to", "")),
        **_purchases(user, account),
    }
    return render(request, "billing/account_detail.html", context)


def _purchases(user: User, account: CreditAccount) -> dict[str, Any]:
    """Return how what somebody bought stands; nothing is asked for those who never bought anything."""
    subscription = current_subscription(account)
    if subscription is None and not account.customers.exists():
        return {}
    return {
        "has_bought": True,
        "subscription": subscription,
        "grace_ends": grace_ends(subscription) if subscription else None,
        "open_checkout": selectors.unfinished_checkout(account),
        "unpaid": selectors.unpaid_invoice(account),
        "has_free_training": selectors.free_training_of(user),
    }


@require_safe
@login_required
@where_credits_are_used
def list_receipts(request: AccountHttpRequest) -> HttpResponse:
    """Show what each piece of work held, was charged and gave back."""
    page = history.receipts_of(open_account(user=user_of(request)), before=_cursor(request))
    return render(request, "billing/receipt_list.html", {"receipts": page, **_pages(request, page)})


@require_safe
@login_required
@where_credits_are_used
def list_movements(request: AccountHttpRequest) -> HttpResponse:
    """Show every movement of credits, the newest first."""
    page = history.movements_of(open_account(user=user_of(request)), before=_cursor(request))
    return render(request, "billing/movement_list.html", {"movements": page, **_pages(request, page)})


def _cursor(request: AccountHttpRequest) -> int | None:
    """Return the row that the page comes after. Raises BadRequest for what no page of ours contained."""
    text = request.GET.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadRequest(_("There is no such page. Start again from the newest entries."))
    return int(text)


def _pages(request: AccountHttpRequest, page: history.Page[Any]) -> dict[str, str]:
    return {
        "previous_url": request.path if "before" in request.GET else "",
        "next_url": f"{request.path}?before={page.next_before}" if page.next_before else "",
    }
