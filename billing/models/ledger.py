"""The ledger.

It is append-only double entry: every `CreditTxn` has entries that sum to zero (a deferred trigger
refuses anything else), and no entry is ever changed or deleted (another trigger). What an account holds is
kept beside it, in `CreditAccount` and `CreditGrant`, and must equal what the entries say.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.prices import Plan, Price


class CreditAccount(models.Model):
    """A person's credits. This row is the lock: every change of the ledger takes it first.

    An erased person's account stays, without the person.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="credit_account"
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="accounts")
    available = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    debt = models.IntegerField(default=0)
    # Set while a payment is disputed: nothing can be spent.
    billing_hold = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("credit account")
        verbose_name_plural = _("credit accounts")
        permissions = [
            ("grant_credits", _("Can grant goodwill credits")),
            ("export_ledger", _("Can export the ledger")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(available__gte=0), name="billing_available_not_negative"),
            models.CheckConstraint(condition=Q(held__gte=0), name="billing_held_not_negative"),
            models.CheckConstraint(condition=Q(debt__gte=0), name="billing_debt_not_negative"),
        ]

    def __str__(self) -> str:
        return str(self.user) if self.user else f"erased #{self.pk}"


class CreditGrant(models.Model):
    """Credits that came in together and expire together."""

    class Source(models.TextChoices):
        """Why they came."""

        FREE = "free", _("Free plan")
        PLAN = "plan", _("Plan")
        PACK = "pack", _("Pack")
        PROMO = "promo", _("Promotion")
        GOODWILL = "goodwill", _("Goodwill")

    # Consumed first to last; within one priority what expires first goes first.
    PRIORITY: ClassVar[dict[str, int]] = {
        Source.GOODWILL: 10,
        Source.PROMO: 20,
        Source.PLAN: 30,
        Source.FREE: 40,
        Source.PACK: 50,
    }

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="grants")
    source = models.CharField(max_length=20, choices=Source.choices)
    # What makes a grant happen once: `inv:{id}`, `cs:{id}`, `jobrefund:{job}`.
    source_ref = models.CharField(max_length=180, unique=True)
    amount = models.PositiveIntegerField()
    remaining = models.IntegerField()
    held = models.IntegerField(default=0)
    clawed = models.IntegerField(default=0)
    priority = models.PositiveSmallIntegerField()
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["priority", F("expires_at").asc(nulls_last=True), "created_at", "id"]
        indexes = [
            models.Index(fields=["account"], condition=Q(remaining__gt=0), name="billing_grant_spendable"),
            models.Index(fields=["expires_at"], condition=Q(remaining__gt=0), name="billing_grant_expiring"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0, remaining__gte=F("held"), amount__gte=F("remaining")),
                name="billing_grant_parts",
            ),
            models.CheckConstraint(
                condition=Q(clawed__gte=0, clawed__lte=F("amount")), name="billing_grant_clawed"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_grant_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.get_source_display()})"

    @property
    def free(self) -> int:
        """Credits of this grant that nothing holds."""
        return self.remaining - self.held


class CreditTxn(models.Model):
    """One movement of credits. The actor is kept as text: erasing a person leaves the ledger whole."""

    class Kind(models.TextChoices):
        """What happened."""

        GRANT = "grant", _("Credits added")
        HOLD = "hold", _("Held")
        CAPTURE = "capture", _("Charged")
        RELEASE = "release", _("Released")
        EXPIRE = "expire", _("Expired")
        SETTLE = "settle", _("Debt settled")
        CLAW = "claw", _("Taken back")
        RESTORE = "restore", _("Given back again")
        WAIVE = "waive", _("Debt waived")

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="txns")
    actor_id = models.CharField(max_length=40, blank=True)
    actor_name = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        indexes = [models.Index(fields=["account", "-id"], name="billing_txn_of_account")]

    def __str__(self) -> str:
        return self.key


class CreditEntry(models.Model):
    """One leg of a transaction: `amount` credits into (or, negative, out of) a bucket."""

    class Bucket(models.TextChoices):
        """Where credits can be. Account buckets come first; the others are the world outside it."""

        AVAILABLE = "available", _("Available")
        HELD = "held", _("Held")
        DEBT = "debt", _("Debt")
        ISSUED = "issued", _("Issued")
        CONSUMED = "consumed", _("Charged")
        EXPIRED = "expired", _("Expired")
        CLAWED = "clawed", _("Taken back")
        WAIVED = "waived", _("Waived")

    txn = models.ForeignKey(CreditTxn, on_delete=models.PROTECT, related_name="entries")
    bucket = models.CharField(max_length=20, choices=Bucket.choices)
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, null=True, related_name="entries")
    amount = models.IntegerField()

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="billing_entry_not_zero")]

    def __str__(self) -> str:
        return f"{self.bucket} {self.amount:+d}"


class CreditHold(models.Model):
    """Credits set aside for a piece of work that billing knows only by an opaque reference.

    Short work holds once (slice 0). An experiment holds up to its next snapshot, slice by slice.
    """

    class State(models.TextChoices):
        """What became of the hold."""

        HELD = "held", _("Held")
        SETTLED = "settled", _("Settled")

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="holds")
    work_ref = models.UUIDField()
    slice = models.PositiveIntegerField(default=0)
    label = models.CharField(max_length=200)
    amount = models.PositiveIntegerField()
    charged = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=20, choices=State.choices, default=State.HELD)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True, related_name="holds")
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "-id"], name="billing_hold_of_account")]
        constraints = [
            models.UniqueConstraint(fields=["work_ref", "slice"], name="billing_hold_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_hold_amount"),
            models.CheckConstraint(condition=Q(charged__lte=F("amount")), name="billing_hold_charge"),
            models.CheckConstraint(
                condition=Q(state="held", charged=0, settled_at__isnull=True)
                | Q(state="settled", settled_at__isnull=False),
                name="billing_hold_settled_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.amount}"

    @property
    def released(self) -> int:
        """Credits that went back, once settled."""
        return self.amount - self.charged if self.state == self.State.SETTLED else 0


class HoldPart(models.Model):
    """How much of a hold comes out of which grant."""

    hold = models.ForeignKey(CreditHold, on_delete=models.PROTECT, related_name="parts")
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="hold_parts")
    amount = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hold", "grant"], name="billing_hold_part_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_hold_part_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.grant}"
