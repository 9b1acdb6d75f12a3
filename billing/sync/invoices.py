"""Invoices: one that is paid for a plan's period grants that period's credits."""

from datetime import datetime

from django.utils import timezone

from billing import ledger
from billing.clawback import USABLE_AFTER_EXPIRY
from billing.gateway import Object, get_gateway
from billing.letters import ask_to_pay
from billing.models import CreditAccount, CreditGrant, Invoice, Offer
from billing.sync.common import Apply, account_behind, name_of, new_look, nothing_of_ours, when
from billing.sync.sales import note_payment


def look_at_invoice(invoice_id: str) -> Apply:
    """See what an invoice says, and by which payment it was paid."""
    number = new_look()
    gateway = get_gateway()
    invoice = gateway.invoice(invoice_id)
    account_id = account_behind(name_of(invoice["customer"]))
    if account_id is None:
        return nothing_of_ours
    intent = _paid_with(invoice) if invoice["status"] == "paid" else ""
    paid = gateway.payment(intent) if intent else None
    return lambda: _apply(account_id, invoice, paid, number)


def _apply(account_id: int, seen: Object, paid: Object | None, number: int) -> bool:
    account = ledger.lock_account(account_id)
    invoice = Invoice.objects.filter(stripe_id=seen["id"]).first()
    if invoice is None:
        invoice = Invoice(account=account, stripe_id=seen["id"])
    if invoice.look > number:
        return True
    was_tried = seen["status"] == "open" and seen["attempted"]
    invoice.number = seen.get("number") or ""
    invoice.status = seen["status"] or ""
    invoice.total_cents = seen["total"]
    invoice.tax_cents = sum(tax["amount"] for tax in seen.get("total_taxes") or [])
    invoice.due_cents = seen["amount_remaining"]
    invoice.currency = seen["currency"]
    invoice.page_url = seen.get("hosted_invoice_url") or ""
    invoice.pdf_url = seen.get("invoice_pdf") or ""
    invoice.needs_attention = bool(was_tried or seen.get("last_finalization_error"))
    invoice.issued_at = when(seen["created"])
    invoice.look = number
    invoice.save()
    if seen["status"] == "paid":
        _grant_period(account, invoice, seen, paid)
    # Who changes plans sees the page that asks them; of a renewal nobody would know.
    if invoice.needs_attention and seen.get("billing_reason") == "subscription_cycle":
        ask_to_pay(account, invoice)
    return True


def _grant_period(account: CreditAccount, invoice: Invoice, seen: Object, paid: Object | None) -> None:
    """Grant the credits of the plan that was paid; a correction between two prices grants nothing."""
    for line in seen["lines"]["data"]:
        offer = _offer_of(line)
        if offer is None:
            continue
        now = timezone.now()
        grant = ledger.add_grant(
            account,
            source=CreditGrant.Source.PLAN,
            source_ref=f"inv:{seen['id']}",
            amount=offer.credits,
            expires_at=_lasts_until(when(line["period"]["end"]), now),
            now=now,
            reason=offer.title,
        )
        note_payment(
            account,
            stripe_id=seen["id"],
            paid=paid,
            grant=grant,
            offer=offer,
            otherwise_at=invoice.issued_at,
            invoice=invoice,
        )
        return


def _offer_of(line: Object) -> Offer | None:
    """Return the plan that a line is a period of."""
    details = (line.get("parent") or {}).get("subscription_item_details")
    if not details or details.get("proration"):
        return None
    price = ((line.get("pricing") or {}).get("price_details") or {}).get("price")
    return Offer.objects.filter(stripe_id=name_of(price), kind=Offer.Kind.PLAN).first()


def _lasts_until(period_end: datetime, now: datetime) -> datetime:
    """Return when a period's credits expire; those that we learn of too late can still be used a while."""
    return period_end if period_end > now else now + USABLE_AFTER_EXPIRY


def _paid_with(invoice: Object) -> str:
    """Return the payment intent of an invoice, empty when it was paid without one."""
    for made in (invoice.get("payments") or {}).get("data", []):
        if made["status"] == "paid" and made["payment"].get("payment_intent"):
            return name_of(made["payment"]["payment_intent"])
    return ""
