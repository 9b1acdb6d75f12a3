"""The ledger is only read and exported, but for goodwill and debts let off, which have their reason."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_stubs_ext import StrOrPromise

from accounts.models import User
from accounts.readonly_admin import ReadOnly, ReadOnlyAdmin, staff_of
from billing.exceptions import ReferenceReused
from billing.export import ledger_rows
from billing.forms import GoodwillForm, WaiveForm
from billing.ledger import Actor
from billing.models import (
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditHold,
    CreditTxn,
    HoldPart,
)
from billing.services import grant_goodwill, waive_debt


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
    change_list_template = "admin/billing/credittxn/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the export."""
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="billing_credittxn_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Send every line of the ledger as CSV, as it is read; each export is in the audit."""
        if request.method != "GET" or not request.user.has_perm("billing.export_ledger"):
            self.refuse(request, "an export")
        LogEntry.objects.create(
            user=staff_of(request),
            content_type=ContentType.objects.get_for_model(CreditTxn),
            object_repr="ledger",
            action_flag=CHANGE,
            change_message="Exported the ledger",
        )
        name = f"ledger-{timezone.now():%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(ledger_rows(), content_type="text/csv; charset=utf-8", headers=headers)


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
    actions = ("ask_for_goodwill", "ask_to_waive")

    def has_goodwill_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may grant credits."""
        return request.user.has_perm("billing.grant_credits")

    @admin.action(description=_("Grant goodwill credits"), permissions=["goodwill"])
    def ask_for_goodwill(self, _request: HttpRequest, accounts: QuerySet[CreditAccount]) -> HttpResponse:
        """Lead to the page that asks how many, and why."""
        chosen = QueryDict(mutable=True)
        chosen.setlist("account", [str(pk) for pk in accounts.values_list("pk", flat=True)])
        return redirect(f"{reverse('admin:billing_creditaccount_goodwill')}?{chosen.urlencode()}")

    @admin.action(description=_("Let off what is owed"), permissions=["goodwill"])
    def ask_to_waive(self, _request: HttpRequest, accounts: QuerySet[CreditAccount]) -> HttpResponse:
        """Lead to the page that asks why."""
        chosen = QueryDict(mutable=True)
        chosen.setlist("account", [str(pk) for pk in accounts.values_list("pk", flat=True)])
        return redirect(f"{reverse('admin:billing_creditaccount_waive')}?{chosen.urlencode()}")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages for goodwill and for debts let off."""
        goodwill = self.admin_site.admin_view(self.goodwill_view)
        waive = self.admin_site.admin_view(self.waive_view)
        return [
            path("goodwill/", goodwill, name="billing_creditaccount_goodwill"),
            path("waive/", waive, name="billing_creditaccount_waive"),
            *super().get_urls(),
        ]

    def waive_view(self, request: HttpRequest) -> HttpResponse:
        """Ask why the chosen accounts are let off what they owe; let them off, once a form."""
        if not self.has_goodwill_permission(request):
            self.refuse(request, "letting off a debt")
        accounts = self._chosen(request)
        form = WaiveForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            for account in accounts:
                self._waive_one(staff_of(request), account, form)
            messages.success(request, _("What was owed is let off."))
            return redirect("admin:billing_creditaccount_changelist")
        title = _("Let off what is owed")
        context = self._form_context(request, title, accounts, form) | {"button": title}
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
        template = "admin/billing/creditaccount/goodwill.html"
        return TemplateResponse(request, template, context, status=status)

    def _form_context(
        self, request: HttpRequest, title: StrOrPromise, accounts: list[CreditAccount], form: Form
    ) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "accounts": accounts,
            "form": form,
        }

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
        context = self._form_context(request, _("Grant goodwill credits"), accounts, form)
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

    @staticmethod
    @transaction.atomic
    def _waive_one(staff: User, account: CreditAccount, form: WaiveForm) -> None:
        reason, token = form.cleaned_data["reason"], form.cleaned_data["token"]
        waived = waive_debt(account=account, reason=reason, actor=Actor.of(staff), token=token)
        if waived:
            chosen = CreditAccount.objects.filter(pk=account.pk)
            LogEntry.objects.log_actions(staff.pk, chosen, CHANGE, f"Let off {waived} credits: {reason}")
