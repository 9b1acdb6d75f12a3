"""What a payment brings: its row, and the free training with the first one for a plan."""

from collections.abc import Collection
from datetime import datetime

from billing.free_training import offer_free_training
from billing.gateway import Object
from billing.letters import raise_alert
from billing.models import Alert, CreditAccount, CreditGrant, Invoice, Offer, Payment
from billing.sync.common import when


def note_payment(
    account: CreditAccount,
    *,
    stripe_id: str,
    paid: Object | None,
    grant: CreditGrant,
    offer: Offer,
    otherwise_at: datetime,
    invoice: Invoice | None = None,
) -> Payment:
    """Insert the row of what was paid for a grant, once; the caller has locked the account.

    `paid` is the payment intent with its charge; None where a coupon left nothing to pay.
    """
    charge = (paid or {}).get("latest_charge") or None
    payment, is_new = Payment.objects.get_or_create(
        grant=grant,
        defaults={
            "account": account,
            "stripe_id": paid["id"] if paid else stripe_id,
            "offer": offer,
            "invoice": invoice,
            "amount_cents": paid["amount_received"] if paid else 0,
            "currency": paid["currency"] if paid else offer.currency,
            "paid_at": when(charge["created"]) if charge else otherwise_at,
        },
    )
    offer_free_training(account, payment, cards=_cards(charge))
    if is_new and account.user_id is None:
        # A transfer that was on its way for days: nobody is there to use it, so somebody has to refund it.
        raise_alert(ref=f"payer:{payment.stripe_id}", kind=Alert.Kind.PAYER_ERASED, account=account)
    return payment


def _cards(charge: Object | None) -> Collection[str]:
    details = (charge or {}).get("payment_method_details") or {}
    fingerprint = (details.get("card") or {}).get("fingerprint")
    return [fingerprint] if fingerprint else []
