"""Payments and what became of them; refunds with preview, reason and a second person; the overview."""

import uuid
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from accounts.readonly_admin import ReadOnly, ReadOnlyAdmin, staff_of
from billing import refunds
from billing.exceptions import BillingError
from billing.forms import ClockForm, ReasonForm, RefundForm
from billing.models import (
    Checkout,
    Customer,
    Dispute,
    FreeTraining,
    Invoice,
    Payment,
    Refund,
    RefundRequest,
    Subscription,
)
from billing.reports import overview
from billing.sandbox import advance as advance_sandbox
from billing.services import expire_grants
from billing.standing import end_graces


class RefundInline(ReadOnly, admin.TabularInline[Refund, Payment]):
    """What Stripe gave back."""

    model = Refund
    extra = 0


class RefundRequestInline(ReadOnly, admin.TabularInline[RefundRequest, Payment]):
    """What staff have decided about it, and why."""

    model = RefundRequest
    fields = ("created_at", "amount_cents", "state", "requester_name", "reason", "approver_name", "problem")
    readonly_fields = ("created_at",)
    extra = 0


class DisputeInline(ReadOnly, admin.TabularInline[Dispute, Payment]):
    """What was disputed."""

    model = Dispute
    extra = 0


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Money that came in, and the way to give it back."""

    list_display = ("paid_at", "account", "offer", "amount_cents", "currency", "taken_back", "stripe_id")
    list_filter = ("offer__kind", "currency", "disputes__is_open")
    list_select_related = ("account__user", "offer", "grant")
    search_fields = ("stripe_id", "account__user__email")
    inlines = (RefundRequestInline, RefundInline, DisputeInline)
    actions = ("ask_for_refund",)
    change_list_template = "admin/billing/payment/change_list.html"

    @admin.display(description=_("credits taken back"))
    def taken_back(self, payment: Payment) -> str:
        """How much of the payment's credits is gone again."""
        return f"{payment.grant.clawed} / {payment.grant.amount}"

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may refund."""
        return request.user.has_perm("billing.issue_refund")

    @admin.action(description=_("Refund one payment"), permissions=["refund"])
    def ask_for_refund(self, request: HttpRequest, payments: QuerySet[Payment]) -> HttpResponse | None:
        """Lead to the page that shows what a refund would do."""
        chosen = list(payments[:2])
        if len(chosen) != 1:
            messages.error(request, _("Choose one payment: each refund has its own reason."))
            return None
        return redirect(f"{reverse('admin:billing_payment_refund')}?payment={chosen[0].pk}")

    def get_urls(self) -> list[URLPattern]:
        """Add the refund, the overview, and in the sandbox the clock."""
        views: dict[str, Callable[..., HttpResponse]] = {
            "refund": self.refund_view,
            "overview": self.overview_view,
            "clock": self.clock_view,
        }
        own = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"billing_payment_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def refund_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a refund would do; do it, once a form, with its reason."""
        if not self.has_refund_permission(request):
            self.refuse(request, "a refund", request.GET.get("payment"))
        payment = self._chosen(request)
        form = RefundForm(request.POST if request.method == "POST" else None)
        cents = None
        if form.is_bound and form.is_valid():
            cents = form.cleaned_data["cents"]
            if "do" in request.POST:
                try:
                    return self._refund(request, payment, form)
                except BillingError as error:
                    form.add_error(None, str(error))
        preview = refunds.preview_refund(payment, cents)
        if not form.is_bound:
            form = RefundForm(initial={"cents": preview.cents or None})
        is_refused = request.method == "POST" and bool(form.errors)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Refund a payment"),
            "payment": payment,
            "preview": preview,
            "form": form,
        }
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_refused else HTTPStatus.OK
        return TemplateResponse(request, "admin/billing/payment/refund.html", context, status=status)

    def _refund(self, request: HttpRequest, payment: Payment, form: RefundForm) -> HttpResponse:
        staff, values = staff_of(request), form.cleaned_data
        made = refunds.request_refund(
            payment=payment,
            cents=values["cents"],
            reason=values["reason"],
            staff=staff,
            token=values["token"],
        )
        note = f"Refund of {made.amount_cents} cents ({made.state}): {made.reason}"
        LogEntry.objects.log_actions(staff.pk, Payment.objects.filter(pk=payment.pk), CHANGE, note)
        _tell(request, made)
        return redirect("admin:billing_refundrequest_changelist")

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Say how much was sold, how much is owed in credits, what failed and what was given back."""
        if not request.user.has_perm("billing.view_overview"):
            self.refuse(request, "the overview")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Money and credits"),
            "overview": overview(),
        }
        return TemplateResponse(request, "admin/billing/payment/overview.html", context)

    def clock_view(self, request: HttpRequest) -> HttpResponse:
        """In the sandbox, let days pass."""
        if settings.PAYMENTS != "sandbox":
            raise Http404
        if not self.has_refund_permission(request):
            self.refuse(request, "the sandbox's clock")
        form = ClockForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            advance_sandbox(form.cleaned_data["days"])
            end_graces()
            expire_grants()
            messages.success(request, _("That many days have passed. What they led to is being worked in."))
            return redirect("admin:billing_payment_clock")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The sandbox's clock"),
            "form": form,
        }
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
        return TemplateResponse(request, "admin/billing/payment/clock.html", context, status=status)

    @staticmethod
    def _chosen(request: HttpRequest) -> Payment:
        key = request.GET.get("payment", "")
        rows = Payment.objects.select_related("grant", "account__user", "offer")
        found = rows.filter(pk=key).first() if key.isascii() and key.isdecimal() and len(key) < 19 else None
        if found is None:
            raise Http404
        return found


@admin.register(RefundRequest)
class RefundRequestAdmin(ReadOnlyAdmin):
    """Refunds that were asked for; the large ones wait for a second person."""

    list_display = (
        "created_at",
        "payment",
        "amount_cents",
        "credits",
        "state",
        "requester_name",
        "reason",
        "approver_name",
        "why_not",
    )
    list_filter = ("state",)
    list_select_related = ("payment__offer",)
    actions = ("approve", "ask_to_reject")

    @admin.display(description=_("why not"))
    def why_not(self, row: RefundRequest) -> str:
        """Why it was not approved, or what Stripe said when it failed."""
        return row.problem

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may approve others' refunds."""
        return request.user.has_perm("billing.approve_refund")

    @admin.action(description=_("Approve and send"), permissions=["approve"])
    def approve(self, request: HttpRequest, rows: QuerySet[RefundRequest]) -> None:
        """Approve what others have asked for."""
        for row in rows.select_related("payment"):
            decide = partial(refunds.approve_refund, staff=staff_of(request))
            self._decide(request, row, decide)

    @admin.action(description=_("Do not approve"), permissions=["approve"])
    def ask_to_reject(self, _request: HttpRequest, rows: QuerySet[RefundRequest]) -> HttpResponse:
        """Lead to the page that asks why not."""
        chosen = QueryDict(mutable=True)
        chosen.setlist("refund", [str(pk) for pk in rows.values_list("pk", flat=True)])
        return redirect(f"{reverse('admin:billing_refundrequest_reject')}?{chosen.urlencode()}")

    def get_urls(self) -> list[URLPattern]:
        """Add the page on which refunds are turned down."""
        view = self.admin_site.admin_view(self.reject_view)
        return [path("reject/", view, name="billing_refundrequest_reject"), *super().get_urls()]

    def reject_view(self, request: HttpRequest) -> HttpResponse:
        """Ask why the chosen refunds are not made; turn down what others have asked for."""
        if not self.has_approve_permission(request):
            self.refuse(request, "a decision")
        rows = self._chosen(request)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            reason = form.cleaned_data["reason"]
            for row in rows:
                decide = partial(refunds.reject_refund, staff=staff_of(request), reason=reason)
                self._decide(request, row, decide)
            return redirect("admin:billing_refundrequest_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Do not approve"),
            "rows": rows,
            "form": form,
        }
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
        template = "admin/billing/refundrequest/reject.html"
        return TemplateResponse(request, template, context, status=status)

    @staticmethod
    def _chosen(request: HttpRequest) -> list[RefundRequest]:
        """Return the requests that the address names. Raises Http404 unless all of them exist."""
        try:
            keys = {uuid.UUID(key) for key in request.GET.getlist("refund")}
        except ValueError:
            raise Http404 from None
        rows = list(RefundRequest.objects.filter(pk__in=keys).select_related("payment__account__user"))
        if not keys or len(rows) != len(keys):
            raise Http404
        return rows

    def _decide(self, request: HttpRequest, row: RefundRequest, decide: Callable[..., RefundRequest]) -> None:
        try:
            decided = decide(request=row)
        except BillingError as error:
            messages.error(request, str(error))
            return
        chosen = RefundRequest.objects.filter(pk=row.pk)
        note = ": ".join(["Decided", decided.state, *filter(None, [decided.problem])])
        LogEntry.objects.log_actions(staff_of(request).pk, chosen, CHANGE, note)
        _tell(request, decided)


def _tell(request: HttpRequest, made: RefundRequest) -> None:
    state = RefundRequest.State
    texts: dict[str, Any] = {
        state.WAITING: _("This much needs a second person: it waits for their approval."),
        state.SENDING: _("The credits are taken back; the refund is on its way."),
        state.DONE: _("The money is on its way back and the credits are taken back."),
        state.FAILED: _("Stripe refused the refund; the credits are back. Its reason is in the row."),
        state.REJECTED: _("Nothing was refunded."),
    }
    level = messages.ERROR if made.state == state.FAILED else messages.SUCCESS
    messages.add_message(request, level, texts[made.state])


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Plans that renew themselves."""

    list_display = ("account", "plan", "status", "is_live", "period_end", "cancel_at", "next_plan")
    list_filter = ("status", "plan")
    list_select_related = ("account__user", "plan", "next_plan")
    search_fields = ("stripe_id", "account__user__email")


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    """Invoices that Stripe wrote."""

    list_display = ("issued_at", "number", "account", "status", "total_cents", "tax_cents", "needs_attention")
    list_filter = ("status", "needs_attention")
    list_select_related = ("account__user",)
    search_fields = ("stripe_id", "number", "account__user__email")


@admin.register(Checkout)
class CheckoutAdmin(ReadOnlyAdmin):
    """Attempts to buy."""

    list_display = ("created_at", "account", "offer", "state", "stripe_id")
    list_filter = ("state",)
    list_select_related = ("account__user", "offer")
    search_fields = ("stripe_id", "account__user__email")


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Who is who at Stripe."""

    list_display = ("stripe_id", "account", "unlinked_at")
    list_select_related = ("account__user",)
    search_fields = ("stripe_id", "account__user__email")


@admin.register(FreeTraining)
class FreeTrainingAdmin(ReadOnlyAdmin):
    """Who had their free training."""

    list_display = ("account", "state", "used_at", "created_at")
    list_filter = ("state",)
    list_select_related = ("account__user",)
    search_fields = ("account__user__email",)
