"""Credits and money in templates."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.conf import settings
from django.utils.formats import number_format

from billing.amounts import write_money, write_price
from billing.exceptions import CreditsShort
from billing.models import Plan
from billing.selectors import Balance, balance_of, offers_that_fit, would_relax
from billing.views.requests import here_and_filled

register = template.Library()


@register.simple_tag(takes_context=True)
def own_balance(context: dict[str, Any]) -> Balance | None:
    """Return what whoever looks at the page has, in one query; None in house mode and for visitors."""
    user = context.get("user")
    if not settings.CREDITS_ENABLED or user is None or not user.is_authenticated:
        return None
    return balance_of(user)


@register.simple_tag(takes_context=True)
def relaxes(context: dict[str, Any], cost: int) -> bool:
    """Return whether a generation of so many credits would be made for nothing, behind paid ones."""
    user = context.get("user")
    return user is not None and user.is_authenticated and would_relax(user, cost)


@register.simple_tag
def relaxed_terms(plans: Iterable[Plan]) -> dict[str, Any] | None:
    """Return the plan that has the relaxed queue and what that means, None where no plan has it."""
    plan = next((plan for plan in plans if plan.relaxed_queue), None)
    return {"plan": plan, "strides": settings.RELAXED_STRIDES} if plan else None


@register.simple_tag
def has_prices() -> bool:
    """Return whether work has a price here: not so in house mode."""
    return bool(settings.CREDITS_ENABLED)


@register.simple_tag
def payments_mode() -> str:
    """Return who takes the money: "stripe", "sandbox" or "off"."""
    return str(settings.PAYMENTS)


@register.simple_tag(takes_context=True)
def what_fits(context: dict[str, Any], problem: CreditsShort) -> dict[str, Any]:
    """Return the plan and the pack that bring what is missing, and where to come back to afterwards.

    That is the page itself, or the one that its view names in `form_page`.
    """
    request = context.get("request")
    if settings.PAYMENTS == "off" or request is None or not request.user.is_authenticated:
        return {"offers": []}
    offers = offers_that_fit(request.user, problem.missing)
    return {"offers": offers, "return_to": here_and_filled(request, context.get("form_page", ""))}


@register.filter
def signed(amount: int) -> str:
    """Write a change: "+1,250", "−40", and nothing for none."""
    sign = "+" if amount > 0 else "−"
    return f"{sign}{number_format(abs(amount), 0, force_grouping=True)}" if amount else ""


register.filter("money", write_money)
register.filter("price_in_words", write_price)
