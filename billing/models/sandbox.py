"""What the sandbox's Stripe keeps. Empty where real money is taken."""

from django.db import models


class SandboxObject(models.Model):
    """A customer, price, session, ... of the sandbox, as Stripe would return it."""

    id = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=60)
    data = models.JSONField()
    # What Stripe never shows: which test card a customer has.
    secret = models.JSONField(default=dict)
    # Lists are the newest first, and much happens within one second.
    position = models.BigIntegerField()

    class Meta:
        ordering = ["-position"]
        indexes = [models.Index(fields=["kind", "-position"], name="billing_sandbox_kind")]

    def __str__(self) -> str:
        return self.id


class SandboxAnswer(models.Model):
    """What a request with an idempotency key was answered: the same again, for the same request."""

    key = models.CharField(max_length=255, primary_key=True)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()

    def __str__(self) -> str:
        return self.key


class SandboxDelivery(models.Model):
    """A webhook that the sandbox still has to deliver."""

    event = models.ForeignKey(SandboxObject, on_delete=models.CASCADE, related_name="deliveries")
    # Kept back until somebody lets it go: how a late webhook is tried.
    is_held_back = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.event_id
