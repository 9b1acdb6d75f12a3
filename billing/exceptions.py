"""What can go wrong with credits, in words that say what to do next."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class BillingError(Exception):
    """Something about credits or plans that the person can mend."""


class CreditsShort(BillingError):
    """More credits are wanted than are available: answered with 402.

    `wanted` and `available` are credits; `missing` is what to add.
    """

    def __init__(self, *, wanted: int, available: int) -> None:
        self.wanted = wanted
        self.available = available
        self.missing = wanted - available
        super().__init__(
            ngettext(
                "This takes %(wanted)s credit and you have %(available)s. Add %(missing)s, then try again.",
                "This takes %(wanted)s credits and you have %(available)s. Add %(missing)s, then try again.",
                wanted,
            )
            % {"wanted": wanted, "available": available, "missing": self.missing}
        )


class AccountBlocked(BillingError):
    """A debt or a payment under dispute blocks spending."""

    def __init__(self, *, debt: int) -> None:
        self.debt = debt
        super().__init__(
            _("%(debt)s credits are owed after a refunded payment. They are settled by the next purchase.")
            % {"debt": debt}
            if debt
            else _(
                "Spending is paused while a payment is being looked into. Write to us if this is a mistake."
            )
        )


class UnknownPrice(BillingError):
    """No row of the price list carries this code."""


class ReferenceReused(BillingError):
    """What happens once per reference was asked for again, for another account or another amount."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(
            _("This was done before with another amount or for someone else. Look at the ledger first.")
        )


class RefundTooLarge(BillingError):
    """More would be given back than was charged. `charged` is in credits."""

    def __init__(self, *, charged: int) -> None:
        self.charged = charged
        super().__init__(
            _("%(charged)s credits were charged. Give back at least 1 and at most as many.")
            % {"charged": charged}
            if charged
            else _("Nothing was charged for this, so there is nothing to give back.")
        )


class ReasonMissing(BillingError):
    """Credits are moved by hand only with a reason."""

    def __init__(self) -> None:
        super().__init__(_("Write the reason: it stays in the ledger."))


class FreeTrainingGone(BillingError):
    """There is no free training to use."""

    def __init__(self) -> None:
        super().__init__(_("The free training was used already. This one is paid with credits."))


class NothingSold(BillingError):
    """What somebody wants to buy is not offered (any more), or this studio takes no payments."""

    def __init__(self) -> None:
        super().__init__(_("This cannot be bought now. Reload the page to see what can."))


class PaymentsAway(BillingError):
    """The payment service does not answer: whatever was asked may be asked again, with the same key."""

    def __init__(self) -> None:
        super().__init__(
            _("The payment service does not answer. Nothing was charged; try again in a minute.")
        )


class PaymentRefused(BillingError):
    """The payment service answered no. `code` and `detail` are for the log and for staff."""

    def __init__(self, *, code: str = "", detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(
            _("The payment service refused this. Reload the page and try again, or write to us.")
        )


class CardRefused(PaymentRefused):
    """A card was declined."""

    def __init__(self, *, code: str = "", detail: str = "") -> None:
        super().__init__(code=code, detail=detail)
        self.args = (_("The card was declined. Use another one under Manage payment."),)


class BadEvent(BillingError):
    """What came as a webhook is not one: answered with 400."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class RefundRefused(BillingError):
    """A refund cannot be made as it was asked for; the sentence says why."""
