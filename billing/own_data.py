"""What of somebody's credits and payments is taken along. See `accounts.belongings`."""

from collections.abc import Iterator

from django.db.models import F
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.belongings import Entry, Part, json_lines, tell_counts
from accounts.models import User
from billing.export import ledger_rows
from billing.models import CreditAccount, Invoice, Payment, Refund, Subscription


def _describe(user: User) -> list[str]:
    payments = Payment.objects.filter(account__user=user)
    counted = tell_counts([(payments, ngettext_lazy("%(count)s payment", "%(count)s payments", "count"))])
    return [gettext("Every movement of your credits"), *counted]


def _files(user: User) -> Iterator[Entry]:
    account = CreditAccount.objects.filter(user=user).first()
    if account is None:
        return
    yield "credits.csv", (line.encode() for line in ledger_rows(account))
    yield "subscriptions.jsonl", json_lines(
        Subscription.objects.filter(account=account).order_by("pk"),
        "stripe_id", "status", "plan", "price_cents", "currency", "period_start", "period_end", "cancel_at",
        "created_at",
    )  # fmt: skip
    yield "invoices.jsonl", json_lines(
        Invoice.objects.filter(account=account).order_by("pk"),
        "stripe_id", "number", "status", "total_cents", "tax_cents", "due_cents", "currency", "page_url",
        "pdf_url", "issued_at",
    )  # fmt: skip
    yield "payments.jsonl", json_lines(
        Payment.objects.filter(account=account).order_by("pk"),
        "stripe_id", "amount_cents", "currency", "paid_at", invoice_number=F("invoice__number"),
    )  # fmt: skip
    yield "refunds.jsonl", json_lines(
        Refund.objects.filter(payment__account=account).order_by("pk"),
        "stripe_id", "amount_cents", "status", "created_at", payment_stripe_id=F("payment__stripe_id"),
    )  # fmt: skip


BILLING = Part(name="billing", title=_("Credits and payments"), describe=_describe, files=_files)
