"""Credits and money in templates."""

from typing import Any

from django import template
from django.conf import settings
from django.utils.formats import number_format

from billing.selectors import Balance, balance_of

register = template.Library()


@register.simple_tag(takes_context=True)
def own_balance(context: dict[str, Any]) -> Balance | None:
    """Return what whoever looks at the page has, in one query; None in house mode and for visitors."""
    user = context.get("user")
    if not settings.CREDITS_ENABLED or user is None or not user.is_authenticated:
        return None
    return balance_of(user)


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
