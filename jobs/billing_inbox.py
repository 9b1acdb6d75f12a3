"""The light work of billing: working in what Stripe has told, and looking for what it could not tell.

Billing stands below jobs and knows nothing of them: it calls whoever wants to know that an event came.
"""

import logging

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from billing import inbox, sandbox
from billing.reconcile import sweep_objects
from billing.refunds import send_waiting_refunds
from billing.standing import end_graces
from jobs.context import JobContext, Outcome
from jobs.models import Job, Queue, State
from jobs.registry import JobKind
from jobs.services import submit_job

logger = logging.getLogger(__name__)

BILLING_INBOX = JobKind(
    name="jobs.billing_inbox",
    queue=Queue.LIGHT,
    handler="jobs.billing_inbox.work_in_events",
    title=gettext_lazy("Working in a payment"),
)


def wake_for_event(owner: User | None) -> None:
    """Have a light worker look into the inbox, with the transaction that stores an event.

    One that waits already will see this event too. Of whom an event is nobody knows until it is looked at,
    the dispatcher's round finds it.
    """
    if owner is None or Job.objects.filter(owner=owner, kind=BILLING_INBOX.name, state=State.QUEUED).exists():
        return
    submit_job(owner=owner, kind=BILLING_INBOX.name, label=_("Payment"))


def work_in_events(_context: JobContext) -> Outcome:
    """Work in whatever waits, whoever's it is: an event that fails waits for another time by itself."""
    inbox.drain_inbox()
    return Outcome()


def sweep_inbox() -> None:
    """Work in what no job was made for, and what failed before: every minute."""
    if settings.CREDITS_ENABLED and settings.PAYMENTS != "off":
        inbox.drain_inbox()


def sweep_hourly() -> None:
    """Look for events that never came, end graces that are over, send refunds that were not sent."""
    end_graces()
    if settings.CREDITS_ENABLED and settings.PAYMENTS == "sandbox":
        # Stripe does by itself what is due; and webhooks that were not taken are sent again.
        sandbox.advance(0)
    if settings.CREDITS_ENABLED and settings.PAYMENTS != "off":
        inbox.fetch_missed_events()
        inbox.drain_inbox()
        send_waiting_refunds()


def sweep_nightly() -> None:
    """Compare Stripe's objects with our rows, and take over what Stripe knows better."""
    if settings.CREDITS_ENABLED and settings.PAYMENTS != "off":
        sweep_objects()
