"""What things cost: plans, packs and coupons in money, work in credits. Rows that an admin edits."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

# Rows that always exist: what everybody starts with, and what everybody has where nothing is sold.
FREE_PLAN = "free"
HOUSE_PLAN = "house"


class Plan(models.Model):
    """What a subscriber gets: a row that an admin edits."""

    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(_("name"), max_length=60)
    price_cents = models.PositiveIntegerField(_("price per month, in cents"), default=0)
    currency = models.CharField(max_length=3, default="usd")
    credits = models.PositiveIntegerField(_("credits"))
    # The Free plan's credits come once; the others' come with every paid period.
    credits_once = models.BooleanField(default=False)
    free_training = models.BooleanField(_("first upgrade gives one free AI Training"), default=False)
    storage_bytes = models.PositiveBigIntegerField(_("storage in bytes"))
    experiments_at_once = models.PositiveIntegerField(_("experiments at once"), default=5)
    hours_at_a_time = models.PositiveIntegerField(_("hours at a time"), null=True, blank=True)
    weight = models.PositiveIntegerField(_("priority weight"), default=1, validators=[MinValueValidator(1)])
    relaxed_queue = models.BooleanField(_("free generations in the relaxed queue"), default=False)
    position = models.PositiveIntegerField(default=0)
    is_offered = models.BooleanField(_("offered"), default=True)

    class Meta:
        ordering = ["position"]
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        constraints = [models.CheckConstraint(condition=Q(weight__gt=0), name="billing_plan_weight")]

    def __str__(self) -> str:
        return self.name


class Price(models.Model):
    """What a piece of work costs, in credits: a row that an admin edits. A change makes a new version."""

    code = models.SlugField(max_length=60)
    version = models.PositiveIntegerField(default=1)
    label = models.CharField(_("what is sold"), max_length=120)
    credits = models.PositiveIntegerField(_("credits"))
    # How much of the work one price buys: 1 picture, or 1,000 steps.
    per = models.PositiveIntegerField(_("per"), default=1, validators=[MinValueValidator(1)])
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code", "-version"]
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [
            models.CheckConstraint(condition=Q(per__gt=0), name="billing_price_per"),
            models.UniqueConstraint(fields=["code", "version"], name="billing_price_version_unique"),
            models.UniqueConstraint(
                fields=["code"], condition=Q(is_current=True), name="billing_price_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} (v{self.version})"

    def for_quantity(self, quantity: int) -> int:
        """Return the credits for this much work, rounded up to a whole credit. Raises ValueError below 0."""
        if quantity < 0:
            raise ValueError("No work is less than nothing.")
        return -(-self.credits * quantity // self.per)


class Pack(models.Model):
    """Credits bought once; they do not expire."""

    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(_("name"), max_length=60)
    price_cents = models.PositiveIntegerField(_("price in cents"))
    currency = models.CharField(max_length=3, default="usd")
    credits = models.PositiveIntegerField(_("credits"))
    position = models.PositiveIntegerField(default=0)
    is_offered = models.BooleanField(_("offered"), default=True)

    class Meta:
        ordering = ["position"]
        verbose_name = _("pack")
        verbose_name_plural = _("packs")

    def __str__(self) -> str:
        return self.name


class Coupon(models.Model):
    """A code that makes a purchase cheaper; `manage.py sync_stripe` and the admin take it to Stripe."""

    class Duration(models.TextChoices):
        """How many of a plan's months it makes cheaper."""

        ONCE = "once", _("The first payment")
        REPEATING = "repeating", _("So many months")
        FOREVER = "forever", _("Every payment")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    percent_off = models.PositiveSmallIntegerField(
        _("percent off"), validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    duration = models.CharField(max_length=20, choices=Duration.choices, default=Duration.ONCE)
    months = models.PositiveSmallIntegerField(_("months"), null=True, blank=True)
    most_uses = models.PositiveIntegerField(_("may be used so often"), null=True, blank=True)
    ends_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    stripe_id = models.CharField(max_length=120, blank=True, editable=False)
    promotion_id = models.CharField(max_length=120, blank=True, editable=False)

    class Meta:
        ordering = ["code"]
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        constraints = [
            models.CheckConstraint(
                condition=Q(percent_off__gte=1, percent_off__lte=100), name="billing_coupon_percent"
            ),
            models.CheckConstraint(
                condition=Q(duration="repeating", months__gt=0)
                | (~Q(duration="repeating") & Q(months__isnull=True)),
                name="billing_coupon_months",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Offer(models.Model):
    """What somebody can buy, as Stripe knows it: a month of a plan, or a pack, for this much money.

    What was offered once is kept as it was: an admin who edits a plan makes a new offer, and whoever bought
    the former one gets the credits that it promised.
    """

    class Kind(models.TextChoices):
        """What is bought."""

        PLAN = "plan", _("Plan")
        PACK = "pack", _("Pack")

    kind = models.CharField(max_length=20, choices=Kind.choices)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, blank=True, related_name="offers")
    pack = models.ForeignKey(Pack, on_delete=models.PROTECT, null=True, blank=True, related_name="offers")
    price_cents = models.PositiveIntegerField(_("price in cents"))
    currency = models.CharField(max_length=3)
    credits = models.PositiveIntegerField(_("credits"))
    # Stripe's Price.
    stripe_id = models.CharField(max_length=120, unique=True)
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="plan", plan__isnull=False, pack__isnull=True)
                | Q(kind="pack", plan__isnull=True, pack__isnull=False),
                name="billing_offer_of_one",
            ),
            models.UniqueConstraint(
                fields=["plan"], condition=Q(is_current=True), name="billing_offer_of_plan"
            ),
            models.UniqueConstraint(
                fields=["pack"], condition=Q(is_current=True), name="billing_offer_of_pack"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.plan_id or self.pack_id}"

    @property
    def title(self) -> str:
        """What it is called where it is sold."""
        sold = self.plan or self.pack
        return sold.name if sold else ""


class StripeName(models.Model):
    """What something of ours is called at Stripe: products and the portal's configurations."""

    name = models.CharField(max_length=120, primary_key=True)
    stripe_id = models.CharField(max_length=120)
    # What it was made from; when that changes, so does what is at Stripe.
    made_from = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.stripe_id}"
