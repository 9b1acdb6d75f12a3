"""E-mails about money: to whoever has to pay something, and to the people who run the studio.

They are rows, written in the transaction of what they tell, so that there is one exactly when that happens.
The dispatcher sends them within a minute, and tries for a day while the mail server is away. A process that
dies between the server and the row sends it again, under the same Message-ID, by which mailboxes know a copy.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.services import has_own_address
from billing.amounts import write_money
from billing.models import Alert, CreditAccount, Invoice, Letter

logger = logging.getLogger(__name__)

# 1, 2, 4, ... minutes and at most an hour between tries: about a day in all.
_MOST_ATTEMPTS = 30
_LONGEST_WAIT = timedelta(hours=1)
_MOST_LINES = 50


def raise_alert(*, ref: str, kind: str, account: CreditAccount | None = None) -> Alert:
    """Note once per `ref` what a person has to look at, and write to the people who run the studio.

    Transaction: the caller's.
    """
    alert, is_new = Alert.objects.get_or_create(ref=ref, defaults={"kind": kind, "account": account})
    if is_new:
        page = reverse("admin:billing_alert_changelist")
        _write_staff(f"alert:{ref}", _("Look at this: %(what)s") % {"what": alert}, [str(alert)], page)
    return alert


def tell_differences(differences: Sequence[str]) -> None:
    """Write to the people who run the studio what a night's comparison has found, once a day."""
    count = len(differences)
    subject = ngettext("%(count)d difference in the books", "%(count)d differences in the books", count)
    today = timezone.now().date().isoformat()
    page = reverse("admin:billing_payment_overview")
    _write_staff(f"differences:{today}", subject % {"count": count}, differences[:_MOST_LINES], page)


def ask_to_pay(account: CreditAccount, invoice: Invoice) -> None:
    """Write to somebody whose invoice could not be paid, once for each; the caller has locked the account."""
    paragraphs = [
        _("The payment of %(amount)s for your plan did not go through, so nothing was charged.")
        % {"amount": write_money(invoice.due_cents, invoice.currency)},
        ngettext(
            "You keep your plan for %(days)s day. Pay the invoice, or use another card, before then:",
            "You keep your plan for %(days)s days. Pay the invoice, or use another card, before then:",
            settings.BILLING_GRACE_DAYS,
        )
        % {"days": settings.BILLING_GRACE_DAYS},
        _absolute(invoice.page_url or reverse("billing:account_detail")),
        _("Your datasets, models and images stay yours, whatever your plan."),
    ]
    Letter.objects.get_or_create(
        ref=f"pay:{invoice.stripe_id}",
        defaults={
            "account": account,
            "invoice": invoice,
            "subject": _("Your plan could not be paid"),
            "body": "\n\n".join(paragraphs) + "\n",
        },
    )


def send_letters(*, limit: int = 200) -> int:
    """Send what waits; return how many were taken. Several may do so at once. Called every minute."""
    for count in range(limit):
        letter = _claim()
        if letter is None:
            return count
        try:
            message = _message(letter)
            if message is not None:
                message.send()
        except Exception as error:
            logger.exception("E-mail %s could not be sent", letter.ref)
            Letter.objects.filter(pk=letter.pk).update(problem=f"{type(error).__name__}: {error}"[:300])
        else:
            Letter.objects.filter(pk=letter.pk).update(done_at=timezone.now(), problem="")
    return limit


def _write_staff(ref: str, subject: str, lines: Sequence[str], page: str) -> None:
    body = "\n".join([*lines, "", _absolute(page)]) + "\n"
    Letter.objects.get_or_create(ref=ref, defaults={"subject": subject[:200], "body": body})


@transaction.atomic
def _claim() -> Letter | None:
    """Take the oldest e-mail that may be tried now, and plan its next try: its sender may die."""
    now = timezone.now()
    may_start = Q(not_before__isnull=True) | Q(not_before__lte=now)
    waiting = Letter.objects.filter(may_start, done_at__isnull=True, attempts__lt=_MOST_ATTEMPTS)
    letter = waiting.order_by("id").select_for_update(skip_locked=True).first()
    if letter is not None:
        letter.not_before = now + min(timedelta(minutes=2 ** min(letter.attempts, 10)), _LONGEST_WAIT)
        letter.attempts += 1
        letter.save(update_fields=["attempts", "not_before"])
    return letter


def _message(letter: Letter) -> EmailMessage | None:
    """Return the e-mail; None when there is nobody to get it, or nothing to be paid any more."""
    to = [address for _name, address in settings.ADMINS]
    if letter.account_id is not None:
        account = CreditAccount.objects.select_related("user").get(pk=letter.account_id)
        user = account.user
        to = [user.email] if user is not None and user.is_active and has_own_address(user) else []
    is_settled = letter.invoice is not None and not letter.invoice.needs_attention
    if not to or is_settled:
        return None
    host = settings.SITE_URL.split("//")[-1].split(":")[0]
    headers = {"Message-ID": f"<letter-{letter.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    return EmailMessage(subject=" ".join(letter.subject.split()), body=letter.body, to=to, headers=headers)


def _absolute(address: str) -> str:
    return address if "://" in address else f"{settings.SITE_URL}{address}"
