"""The price list is edited here; the ledger is only read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing.models import CreditAccount, CreditEntry, CreditGrant, CreditHold, CreditTxn, Pack, Plan, Price
from billing.services import revise_price


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
        "is_offered",
    )


@admin.register(Pack)
class PackAdmin(admin.ModelAdmin[Pack]):
    """Packs, edited without a deploy."""

    list_display = ("name", "price_cents", "currency", "credits", "is_offered")


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that no hand may change: the ledger speaks for itself."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class EntryInline(admin.TabularInline[CreditEntry, CreditTxn]):
    """The legs of a transaction."""

    model = CreditEntry
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin):
    """Balances."""

    list_display = ("__str__", "plan", "available", "held", "debt", "billing_hold")
    list_filter = ("plan", "billing_hold")
    search_fields = ("user__email",)


@admin.register(CreditTxn)
class CreditTxnAdmin(ReadOnlyAdmin):
    """Movements of credits."""

    list_display = ("created_at", "kind", "account", "key", "reason", "actor_name")
    list_filter = ("kind",)
    search_fields = ("key", "account__user__email")
    inlines = [EntryInline]


@admin.register(CreditGrant)
class CreditGrantAdmin(ReadOnlyAdmin):
    """Credits that came in."""

    list_display = ("created_at", "account", "source", "amount", "remaining", "held", "expires_at")
    list_filter = ("source",)
    search_fields = ("source_ref", "account__user__email")


@admin.register(CreditHold)
class CreditHoldAdmin(ReadOnlyAdmin):
    """Credits set aside for work."""

    list_display = ("created_at", "account", "label", "slice", "amount", "charged", "state")
    list_filter = ("state",)
    search_fields = ("work_ref", "account__user__email")


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin[Price]):
    """The price list: a new version is added, an old one is kept for the receipts that name it."""

    list_display = ("label", "code", "version", "credits", "per", "is_current")
    list_filter = ("is_current",)

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """Save a changed price as the next version of its row."""
        revise_price(price=obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: receipts point here."""
        return False
