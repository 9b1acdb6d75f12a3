"""What was bought, paid, refunded and disputed: our copy of what Stripe says, and what staff decide.

The copies are written by `billing.sync` only, each from the object as Stripe holds it at that moment. `look`
orders them: it is drawn from a sequence before the object is asked for, and an older look never overwrites a
newer one. Money is in the smallest unit of its currency (cents).
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.ledger import CreditAccount, CreditGrant
from billing.models.prices import Offer, Plan


class Customer(models.Model):
    """Who somebody is at Stripe. One that was deleted there is unlinked; the next purchase makes another."""

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="customers")
    stripe_id = models.CharField(max_length=120, unique=True)
    unlinked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(unlinked_at__isnull=True), name="billing_customer_one_linked"
            )
        ]

    def __str__(self) -> str:
        return self.stripe_id


class Subscription(models.Model):
    """A plan that renews itself."""

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="subscriptions")
    stripe_id = models.CharField(max_length=120, unique=True)
    # In Stripe's words: active, trialing, past_due, canceled, incomplete, unpaid, ...
    status = models.CharField(max_length=30)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, related_name="subscriptions")
    price_cents = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=3, default="usd")
    item_id = models.CharField(max_length=120, blank=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    # When it ends, if somebody has canceled it; what it becomes then, if somebody has chosen a smaller plan.
    cancel_at = models.DateTimeField(null=True, blank=True)
    next_plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    schedule_id = models.CharField(max_length=120, blank=True)
    has_pending_update = models.BooleanField(default=False)
    # The one that decides over its account's plan.
    is_live = models.BooleanField(default=False)
    look = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(is_live=True), name="billing_subscription_one_live"
            )
        ]

    def __str__(self) -> str:
        return self.stripe_id


class Checkout(models.Model):
    """One attempt to buy something. A person has one open attempt at most."""

    class State(models.TextChoices):
        """What became of it."""

        OPEN = "open", _("Open")
        PENDING = "pending", _("The payment is on its way")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("The payment failed")
        EXPIRED = "expired", _("Not finished")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="checkouts")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="checkouts")
    stripe_id = models.CharField(max_length=120, unique=True, null=True, blank=True)
    url = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    # The page, with its form's fields, from which somebody came to buy.
    return_to = models.TextField(blank=True)
    look = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("checkout")
        verbose_name_plural = _("checkouts")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(state="open"), name="billing_checkout_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.offer} ({self.get_state_display()})"


class Invoice(models.Model):
    """An invoice that Stripe wrote, with where it can be read and paid."""

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="invoices")
    stripe_id = models.CharField(max_length=120, unique=True)
    number = models.CharField(max_length=60, blank=True)
    # In Stripe's words: draft, open, paid, uncollectible, void.
    status = models.CharField(max_length=20)
    total_cents = models.IntegerField(default=0)
    tax_cents = models.IntegerField(default=0)
    due_cents = models.IntegerField(default=0)
    currency = models.CharField(max_length=3, default="usd")
    page_url = models.TextField(blank=True)
    pdf_url = models.TextField(blank=True)
    # Payment was tried and did not come about: somebody has to pay on the invoice's page.
    needs_attention = models.BooleanField(default=False)
    issued_at = models.DateTimeField()
    look = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ["-issued_at", "-id"]

    def __str__(self) -> str:
        return self.number or self.stripe_id


class Payment(models.Model):
    """Money that came in for one grant; what of it went back decides what of the grant is taken back."""

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="payments")
    # The payment intent; where nothing had to be paid (a coupon), the invoice or the checkout session.
    stripe_id = models.CharField(max_length=120, unique=True)
    grant = models.OneToOneField(CreditGrant, on_delete=models.PROTECT, related_name="payment")
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="payments"
    )
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="payments")
    amount_cents = models.PositiveIntegerField(_("amount in cents"))
    currency = models.CharField(max_length=3)
    look = models.BigIntegerField(default=0)
    paid_at = models.DateTimeField()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-paid_at", "-id"]
        permissions = [
            ("issue_refund", _("Can refund payments")),
            ("approve_refund", _("Can approve somebody else's refunds")),
            ("view_overview", _("Can see what was sold and what is owed")),
        ]

    def __str__(self) -> str:
        return f"{self.stripe_id}: {self.offer}"


class RefundRequest(models.Model):
    """Staff's decision to give money back: who, why, how much, and what became of it."""

    class State(models.TextChoices):
        """What became of it. From SENDING on, its credits are taken back, until it fails."""

        WAITING = "waiting", _("Waits for a second person")
        SENDING = "sending", _("On its way")
        DONE = "done", _("Refunded")
        FAILED = "failed", _("Failed")
        REJECTED = "rejected", _("Not approved")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_requests")
    amount_cents = models.PositiveIntegerField(_("amount in cents"))
    credits = models.PositiveIntegerField(_("credits taken back"))
    reason = models.CharField(max_length=200)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    requester_name = models.CharField(max_length=120)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    approver_name = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=20, choices=State.choices)
    stripe_refund_id = models.CharField(max_length=120, unique=True, null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("refund request")
        verbose_name_plural = _("refund requests")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gt=0), name="billing_request_amount"),
            models.CheckConstraint(
                condition=Q(approver__isnull=True) | ~Q(approver=models.F("requester")),
                name="billing_request_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment}: {self.amount_cents}"


class Refund(models.Model):
    """Money that Stripe gave back, or tries to."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    request = models.ForeignKey(
        RefundRequest, on_delete=models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    stripe_id = models.CharField(max_length=120, unique=True)
    amount_cents = models.PositiveIntegerField()
    # In Stripe's words: pending, requires_action, succeeded, failed, canceled.
    status = models.CharField(max_length=20)
    failure = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.stripe_id}: {self.amount_cents}"


class Dispute(models.Model):
    """A payment that somebody has disputed at their bank."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    stripe_id = models.CharField(max_length=120, unique=True)
    amount_cents = models.PositiveIntegerField()
    # What of it the bank has taken from us at this moment.
    withdrawn_cents = models.PositiveIntegerField(default=0)
    # In Stripe's words: needs_response, under_review, won, lost, warning_needs_response, ...
    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=60, blank=True)
    # Nothing can be spent while one is open.
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.stripe_id}: {self.status}"


class FreeTraining(models.Model):
    """The one free AI Training of an account. The row stays for ever: there is no second one."""

    class State(models.TextChoices):
        """Whether it can be had."""

        OFFERED = "offered", _("Can be used")
        USED = "used", _("Used")
        REFUSED = "refused", _("Had before, with another account")

    account = models.OneToOneField(
        CreditAccount, on_delete=models.PROTECT, primary_key=True, related_name="free_training"
    )
    state = models.CharField(max_length=20, choices=State.choices)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="+")
    # The job it was used for.
    work_ref = models.UUIDField(null=True, blank=True, unique=True)
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("free training")
        verbose_name_plural = _("free trainings")
        constraints = [
            models.CheckConstraint(
                condition=Q(state="used", work_ref__isnull=False)
                | (~Q(state="used") & Q(work_ref__isnull=True)),
                name="billing_free_training_used_for",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.get_state_display()}"


class PersonMark(models.Model):
    """A salted hash by which a person who had the free training is known again, and nothing else."""

    mark = models.CharField(max_length=64, unique=True)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="marks")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.mark[:8]}..."
