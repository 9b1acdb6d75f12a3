"""What Stripe told us, until it is worked in; and what somebody has to look at."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.ledger import CreditAccount
from billing.models.payments import Invoice


class StripeEvent(models.Model):
    """One event, stored once by its id. Only the id of its object is used: the object is asked for anew."""

    class State(models.TextChoices):
        """How far it has come."""

        PENDING = "pending", _("Waits")
        PROCESSED = "processed", _("Worked in")
        IGNORED = "ignored", _("Nothing of ours")
        FAILED = "failed", _("Given up")

    event_id = models.CharField(max_length=120, unique=True)
    type = models.CharField(max_length=80)
    object_id = models.CharField(max_length=120)
    payload = models.JSONField()
    state = models.CharField(max_length=20, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="pending"), name="billing_event_pending"),
            models.Index(fields=["object_id"], name="billing_event_object"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class EventCursor(models.Model):
    """How far the list of Stripe's events has been read, for those whose delivery was lost."""

    name = models.CharField(max_length=40, primary_key=True)
    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.read_until}"


class Alert(models.Model):
    """Something about money that a person has to look at."""

    class Kind(models.TextChoices):
        """What it is about."""

        FRAUD = "fraud", _("A bank warns of fraud")
        CUSTOMER_GONE = "customer_gone", _("A customer was deleted at Stripe")
        TWO_PLANS = "two_plans", _("Two subscriptions at once")
        UNKNOWN_PRICE = "unknown_price", _("A subscription to a price that is not ours")
        EVENT_FAILED = "event_failed", _("An event could not be worked in")
        PAYER_ERASED = "payer_erased", _("Paid by somebody whose account is erased")

    ref = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=30, choices=Kind.choices)
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="alerts"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        permissions = [("resolve_alert", _("Can settle alerts"))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.ref}"


class Letter(models.Model):
    """An e-mail about money, once a `ref`: written in the transaction of what it tells, sent afterwards."""

    ref = models.CharField(max_length=160, unique=True)
    # To whom; None: to the people who run the studio (the setting ADMINS).
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="letters"
    )
    # What it asks to pay: paid meanwhile, it is not sent any more.
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="letters"
    )
    subject = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    # When it was sent, or was no longer to be.
    done_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(done_at__isnull=True), name="billing_letter_waiting")
        ]

    def __str__(self) -> str:
        return self.ref
