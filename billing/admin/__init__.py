"""Money and credits in Django admin: everything can be read, little can be done, and that with a reason."""

from billing.admin import inbox, ledger, payments, prices

__all__ = ["inbox", "ledger", "payments", "prices"]
