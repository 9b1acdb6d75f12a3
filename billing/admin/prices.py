"""What things cost is edited here, without a deploy; what was sold before keeps its price."""

from django.contrib import admin, messages
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.readonly_admin import ReadOnlyAdmin
from billing.exceptions import BillingError
from billing.models import FREE_PLAN, HOUSE_PLAN, Coupon, Offer, Pack, Plan, Price
from billing.services import revise_price
from billing.shop import sync_coupon


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin[Plan]):
    """Plans, edited without a deploy."""

    list_display = (
        "name",
        "price_cents",
        "currency",
        "credits",
        "weight",
        "experiments_at_once",
        "hours_at_a_time",
        "is_offered",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        """Keep the name by which accounts know a plan."""
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        """Refuse for the plans without which nobody could do anything."""
        is_needed = obj is not None and obj.slug in (FREE_PLAN, HOUSE_PLAN)
        return not is_needed and super().has_delete_permission(request, obj)


@admin.register(Pack)
class PackAdmin(admin.ModelAdmin[Pack]):
    """Packs, edited without a deploy."""

    list_display = ("name", "price_cents", "currency", "credits", "is_offered")


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin[Price]):
    """The price list: a change is a new version, and the old one is kept for the receipts that name it."""

    list_display = ("label", "code", "version", "credits", "per", "is_current", "created_at")
    list_filter = ("is_current",)
    fields = ("code", "label", "credits", "per")

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        """Keep the code by which work finds its price."""
        return ("code",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        """Refuse for a version that something else has followed."""
        return (obj is None or obj.is_current) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        """Refuse: receipts point here."""
        return False

    def save_model(self, request: HttpRequest, obj: Price, form: ModelForm[Price], change: bool) -> None:
        """Put what was changed into force as the next version."""
        if form.has_changed():
            following = revise_price(price=obj)
            # What is logged and shown next is the new row.
            obj.pk, obj.version = following.pk, following.version


@admin.register(Coupon)
class CouponAdmin(admin.ModelAdmin[Coupon]):
    """Codes that make a purchase cheaper. What a code gives is not changed any more once Stripe knows it."""

    list_display = ("code", "percent_off", "duration", "months", "most_uses", "ends_at", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[str, ...]:
        """Leave only whether it can be used."""
        fixed = ("code", "percent_off", "duration", "months", "most_uses", "ends_at")
        return fixed if obj and obj.promotion_id else ()

    def response_add(
        self, request: HttpRequest, obj: Coupon, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Take a new code to Stripe."""
        self._take_to_stripe(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Coupon) -> HttpResponse:
        """Tell Stripe whether a code can be used."""
        self._take_to_stripe(request, obj)
        return super().response_change(request, obj)

    @staticmethod
    def _take_to_stripe(request: HttpRequest, coupon: Coupon) -> None:
        """Bring a code to Stripe once its row is stored; what fails is done again by `sync_stripe`."""

        def take() -> None:
            try:
                sync_coupon(coupon)
            except BillingError as error:
                messages.warning(request, _("The code is stored, and not at Stripe yet: %s") % error)

        transaction.on_commit(take)

    def has_delete_permission(self, request: HttpRequest, obj: Coupon | None = None) -> bool:
        """Refuse once Stripe knows it: switch it off instead."""
        return (obj is None or not obj.promotion_id) and super().has_delete_permission(request, obj)


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    """What was offered at which price, and what it is called at Stripe."""

    list_display = ("__str__", "price_cents", "currency", "credits", "stripe_id", "is_current", "created_at")
    list_filter = ("kind", "is_current")
    search_fields = ("stripe_id",)
