"""Amounts of money in words."""

from django.utils.formats import number_format


def write_money(cents: int, currency: str) -> str:
    """Write an amount of money: 1500 and "usd" are "15 USD", 1250 "12.50 USD"."""
    whole, rest = divmod(cents, 100)
    amount = number_format(cents / 100 if rest else whole, 2 if rest else 0, force_grouping=True)
    return f"{amount} {currency.upper()}"
