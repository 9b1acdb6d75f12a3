"""Reviews and reports in Django admin: two queues, each row with what may be done about it."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.readonly_admin import staff_of
from catalog.exceptions import CatalogError
from catalog.models import CatalogModel, ModelReport, PublicationRequest
from catalog.services import reviews
from catalog.terms import Action, effective_terms, forbids
from jobs.admin.base import Act, ActingAdmin


def _approve(request: HttpRequest, row: PublicationRequest, answer: str) -> bool:
    reviews.approve_request(request=row, reviewer=staff_of(request), answer=answer)
    return True


def _decline(request: HttpRequest, row: PublicationRequest, answer: str) -> bool:
    reviews.decline_request(request=row, reviewer=staff_of(request), answer=answer)
    return True


def _uphold(request: HttpRequest, row: ModelReport, decision: str) -> bool:
    reviews.uphold_report(report=row, reviewer=staff_of(request), decision=decision)
    return True


def _dismiss(request: HttpRequest, row: ModelReport, decision: str) -> bool:
    reviews.dismiss_report(report=row, reviewer=staff_of(request), decision=decision)
    return True


def _is_waiting(row: PublicationRequest) -> bool:
    return row.state == PublicationRequest.State.WAITING


def _is_open(row: ModelReport) -> bool:
    return row.state == ModelReport.State.OPEN


APPROVE = Act(
    name="approve",
    permission="answer_publicationrequest",
    title=_("Make public"),
    explanation=_(
        "Everybody finds the model from now on, under the licence that was asked for. The publisher gets an "
        "e-mail with what you write here."
    ),
    asks=_("Your answer to the publisher"),
    suits=_is_waiting,
    do=_approve,
)
DECLINE = Act(
    name="decline",
    permission="answer_publicationrequest",
    title=_("Decline"),
    explanation=_("The model stays as it is. The publisher gets an e-mail with what you write here."),
    asks=_("Your answer to the publisher"),
    suits=_is_waiting,
    do=_decline,
)
UPHOLD = Act(
    name="uphold",
    permission="decide_modelreport",
    title=_("Withdraw the model"),
    explanation=_(
        "The model leaves the directory, and nobody but its publisher can use it; what was made with it "
        "stays. What you write here stands on its page, and goes to the publisher and to whoever reported it."
    ),
    asks=_("What is wrong with it"),
    suits=_is_open,
    do=_uphold,
)
DISMISS = Act(
    name="dismiss",
    permission="decide_modelreport",
    title=_("Dismiss"),
    explanation=_("The model stays. Whoever reported it gets what you write here, if they left an address."),
    asks=_("Your answer to whoever reported it"),
    suits=_is_open,
    do=_dismiss,
)


def _first(**such: Any) -> Case:
    """Order rows of this sort before the others."""
    return Case(When(**such, then=Value(0)), default=Value(1), output_field=IntegerField())


class _Queue(ActingAdmin):
    """What the two queues have in common: a model to look at."""

    refusals = (CatalogError,)
    longest_reason = 500
    key_converter = "int"
    change_form_template = "admin/jobs/change_form.html"
    list_select_related: ClassVar[tuple[str, ...]] = ("model__owner",)

    @admin.display(description=_("publisher"))
    def publisher(self, row: Any) -> str:
        """Who added the model."""
        return str(row.model.owner)

    @admin.display(description=_("look at it"))
    def model_page(self, row: Any) -> SafeString:
        """The way to the model's page, and to what is known of it here."""
        model: CatalogModel = row.model
        page = reverse("catalog:model_detail", args=[model.owner.handle, model.name])
        known = reverse("admin:catalog_catalogmodel_change", args=[model.pk])
        return format_html(
            '<a href="{}">{}</a>, <a href="{}">{}</a>', page, model.address, known, _("in admin")
        )


@admin.register(PublicationRequest)
class PublicationRequestAdmin(_Queue):
    """Models that shall be public: those that wait come first, the oldest of them at the top."""

    acts = (APPROVE, DECLINE)
    list_select_related: ClassVar[tuple[str, ...]] = ("model__owner", "licence")
    ordering = (_first(state=PublicationRequest.State.WAITING), "created_at")
    list_display = ("model", "model_page", "publisher", "licence", "state", "created_at")
    list_filter = ("state", ("licence", admin.RelatedOnlyFieldListFilter))
    search_fields = ("model__title", "model__name", "model__owner__email")
    fields = (
        "model_page",
        "publisher",
        "licence",
        "terms_text",
        "message",
        "state",
        "created_at",
        "reviewer",
        "answer",
        "reviewed_at",
    )

    @admin.display(description=_("what its line asks for"))
    def terms_text(self, row: PublicationRequest) -> str | SafeString:
        """What the origins of the newest version forbid and ask for, and what speaks against sharing it."""
        version = row.model.latest_version
        if version is None:
            return "-"
        found = effective_terms(version, viewer=row.model.owner, licence=row.licence)
        sentences = [one.sentence for one in found.conflicts]
        sentences += [one.sentence for one in found.restrictions]
        refused = forbids(found, Action.SHARE)
        if refused:
            sentences.insert(0, _("May not be shared: %(sentence)s") % {"sentence": refused})
        return format_html_join(SafeString("<br>"), "{}", ((sentence,) for sentence in sentences)) or "-"


@admin.register(ModelReport)
class ModelReportAdmin(_Queue):
    """What people say is wrong with models: what cannot wait comes first."""

    acts = (UPHOLD, DISMISS)
    ordering = (
        _first(state=ModelReport.State.OPEN),
        _first(reason__in=ModelReport.REASONS_THAT_HURRY),
        "created_at",
    )
    list_display = ("model", "model_page", "reason", "hurries", "state", "created_at")
    list_filter = ("state", "reason")
    search_fields = ("model__title", "model__name", "model__owner__email", "text", "email")
    fields = (
        "model_page",
        "publisher",
        "reason",
        "text",
        "reporter",
        "email",
        "state",
        "created_at",
        "reviewer",
        "decision",
        "decided_at",
    )

    @admin.display(description=_("cannot wait"), boolean=True)
    def hurries(self, row: ModelReport) -> bool:
        """Whether it is about a person who did not agree, or about something unlawful."""
        return row.reason in ModelReport.REASONS_THAT_HURRY
