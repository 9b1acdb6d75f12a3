"""The price list is edited here; the ledger is only read, but for goodwill, which has its reason."""

from http import HTTPStatus

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.readonly_admin import ReadOnly, ReadOnlyAdmin, staff_of
from billing.exceptions import ReferenceReused
from billing.forms import GoodwillForm
from billing.ledger import Actor
from billing.models import (
    FREE_PLAN,
    HOUSE_PLAN,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditHold,
    CreditTxn,
    HoldPart,
    Pack,
    Plan,
    Price,
)
from billing.services import grant_goodwill, revise_price


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


class EntryInline(ReadOnly, admin.TabularInline[CreditEntry, CreditTxn]):
    """The legs of a transaction."""

    model = CreditEntry
    extra = 0


class HoldPartInline(ReadOnly, admin.TabularInline[HoldPart, CreditHold]):
    """The grants that a hold comes out of."""

    model = HoldPart
    extra = 0


@admin.register(CreditTxn)
class CreditTxnAdmin(ReadOnlyAdmin):
    """Movements of credits."""

    list_display = ("created_at", "kind", "account", "key", "reason", "actor_name")
    list_filter = ("kind",)
    list_select_related = ("account__user",)
    search_fields = ("key", "account__user__email")
    inlines = (EntryInline,)


@admin.register(CreditGrant)
class CreditGrantAdmin(ReadOnlyAdmin):
    """Credits that came in."""

    list_display = ("created_at", "account", "source", "amount", "remaining", "held", "expires_at")
    list_filter = ("source",)
    list_select_related = ("account__user",)
    search_fields = ("source_ref", "account__user__email")


@admin.register(CreditHold)
class CreditHoldAdmin(ReadOnlyAdmin):
    """Credits set aside for work."""

    list_display = ("created_at", "account", "label", "slice", "amount", "charged", "state")
    list_filter = ("state",)
    list_select_related = ("account__user",)
    search_fields = ("=work_ref", "account__user__email")
    inlines = (HoldPartInline,)


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin):
    """Balances, and goodwill for those who deserve it."""

    list_display = ("__str__", "plan", "available", "held", "debt", "billing_hold")
    list_filter = ("plan", "billing_hold")
    list_select_related = ("user", "plan")
    search_fields = ("user__email", "user__handle")
    actions = ("ask_for_goodwill",)

    def has_goodwill_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may grant credits."""
        return request.user.has_perm("billing.grant_credits")

    @admin.action(description=_("Grant goodwill credits"), permissions=["goodwill"])
    def ask_for_goodwill(self, _request: HttpRequest, accounts: QuerySet[CreditAccount]) -> HttpResponse:
        """Lead to the page that asks how many, and why."""
        chosen = QueryDict(mutable=True)
        chosen.setlist("account", [str(pk) for pk in accounts.values_list("pk", flat=True)])
        return redirect(f"{reverse('admin:billing_creditaccount_goodwill')}?{chosen.urlencode()}")

    def get_urls(self) -> list[URLPattern]:
        """Add the page for goodwill."""
        view = self.admin_site.admin_view(self.goodwill_view)
        return [path("goodwill/", view, name="billing_creditaccount_goodwill"), *super().get_urls()]

    def goodwill_view(self, request: HttpRequest) -> HttpResponse:
        """Ask how many credits the chosen accounts get, and why; grant them, once a form."""
        if not self.has_goodwill_permission(request):
            self.refuse(request, "goodwill")
        accounts = self._chosen(request)
        form = GoodwillForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                self._grant(request, accounts, form)
            except ReferenceReused as error:
                form.add_error(None, str(error))
            else:
                return redirect("admin:billing_creditaccount_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Grant goodwill credits"),
            "accounts": accounts,
            "form": form,
        }
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
        template = "admin/billing/creditaccount/goodwill.html"
        return TemplateResponse(request, template, context, status=status)

    def _chosen(self, request: HttpRequest) -> list[CreditAccount]:
        """Return the accounts that the address names. Raises Http404 unless all of them exist."""
        keys = set(request.GET.getlist("account"))
        if not keys or not all(key.isascii() and key.isdecimal() and len(key) < 19 for key in keys):
            raise Http404
        accounts = list(CreditAccount.objects.filter(pk__in=keys).select_related("user").order_by("pk"))
        if len(accounts) != len(keys):
            raise Http404
        return accounts

    def _grant(self, request: HttpRequest, accounts: list[CreditAccount], form: GoodwillForm) -> None:
        """Grant what the form says and write it into the audit; say how many accounts got it now."""
        staff = staff_of(request)
        given = [account for account in accounts if self._grant_one(staff, account, form)]
        text = ngettext("%d account has its credits.", "%d accounts have their credits.", len(given))
        if given:
            messages.success(request, text % len(given))
        else:
            messages.info(request, _("These credits were granted before; nothing was granted twice."))

    @staticmethod
    @transaction.atomic
    def _grant_one(staff: User, account: CreditAccount, form: GoodwillForm) -> bool:
        amount, reason = form.cleaned_data["amount"], form.cleaned_data["reason"]
        is_new = grant_goodwill(
            account=account,
            amount=amount,
            reason=reason,
            actor=Actor.of(staff),
            token=form.cleaned_data["token"],
        )
        if is_new:
            LogEntry.objects.log_actions(
                staff.pk,
                CreditAccount.objects.filter(pk=account.pk),
                CHANGE,
                f"Granted {amount} goodwill credits: {reason}",
            )
        return is_new
