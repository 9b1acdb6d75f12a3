"""Amounts of money and of credits in words."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import Price


def write_money(cents: int, currency: str) -> str:
    """Write an amount of money: 1500 and "usd" are "15 USD", 1250 "12.50 USD"."""
    whole, rest = divmod(cents, 100)
    amount = number_format(cents / 100 if rest else whole, 2 if rest else 0, force_grouping=True)
    return f"{amount} {currency.upper()}"


def write_price(price: Price) -> str:
    """Write what a piece of work costs: "5 credits for each image", "10 credits for 1,000 steps"."""
    credits_ = ngettext("%(number)s credit", "%(number)s credits", price.credits) % {
        "number": _grouped(price.credits)
    }
    one, many = _unit(price.code)
    if price.per == 1:
        return _("%(credits)s for each %(unit)s") % {"credits": credits_, "unit": one}
    words = {"credits": credits_, "number": _grouped(price.per), "unit": many}
    return _("%(credits)s for %(number)s %(unit)s") % words


def _unit(code: str) -> tuple[str, str]:
    """What is counted of a row of the price list, one and many; operators may add rows of their own."""
    units = {
        "ai": (_("training"), _("trainings")),
        "experiment": (_("step"), _("steps")),
        "picture": (_("image"), _("images")),
        "projection": (_("step"), _("steps")),
        "run": (_("run"), _("runs")),
    }
    return units.get(code.partition("-")[0], (_("piece"), _("pieces")))


def _grouped(number: int) -> str:
    return number_format(number, 0, force_grouping=True)
