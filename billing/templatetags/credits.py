"""Credits and money in templates."""

from typing import Any

from django import template
from django.conf import settings
from django.utils.formats import number_format

from billing.exceptions import CreditsShort
from billing.selectors import Balance, balance_of, offers_that_fit
from billing.views.requests import here_and_filled

register = template.Library()


@register.simple_tag(takes_context=True)
def own_balance(context: dict[str, Any]) -> Balance | None:
    """Return what whoever looks at the page has, in one query; None in house mode and for visitors."""
    user = context.get("user")
    if not settings.CREDITS_ENABLED or user is None or not user.is_authenticated:
        return None
    return balance_of(user)


@register.simple_tag
def payments_mode() -> str:
    """Return who takes the money: "stripe", "sandbox" or "off"."""
    return str(settings.PAYMENTS)


@register.simple_tag(takes_context=True)
def what_fits(context: dict[str, Any], problem: CreditsShort) -> dict[str, Any]:
    """Return the plan and the pack that bring what is missing, and where to come back to afterwards."""
    request = context.get("request")
    if settings.PAYMENTS == "off" or request is None or not request.user.is_authenticated:
        return {"offers": []}
    offers = offers_that_fit(request.user, problem.missing)
    return {"offers": offers, "return_to": here_and_filled(request)}


@register.filter
def signed(amount: int) -> str:
    """Write a change: "+1,250", "−40", and nothing for none."""
    sign = "+" if amount > 0 else "−"
    return f"{sign}{number_format(abs(amount), 0, force_grouping=True)}" if amount else ""


@register.filter
def money(cents: int, currency: str) -> str:
    """Write an amount of money: 1500 and "usd" are "15 USD", 1250 "12.50 USD"."""
    whole, rest = divmod(cents, 100)
    amount = number_format(cents / 100 if rest else whole, 2 if rest else 0, force_grouping=True)
    return f"{amount} {currency.upper()}"
