"""Customers that were deleted at Stripe."""

from django.utils import timezone

from billing import ledger
from billing.gateway import get_gateway
from billing.letters import raise_alert
from billing.models import Alert, Customer
from billing.sync.common import Apply, nothing_of_ours


def look_at_customer(customer_id: str) -> Apply:
    """See whether a customer was deleted."""
    known = Customer.objects.filter(stripe_id=customer_id).first()
    if known is None or not get_gateway().customer(customer_id).get("deleted"):
        return nothing_of_ours

    def apply() -> bool:
        account = ledger.lock_account(known.account_id)
        linked = Customer.objects.filter(pk=known.pk, unlinked_at__isnull=True)
        if linked.update(unlinked_at=timezone.now()):
            raise_alert(ref=f"customer:{customer_id}", kind=Alert.Kind.CUSTOMER_GONE, account=account)
        return True

    return apply
