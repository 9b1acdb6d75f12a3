"""Admin pages on which nothing is edited; what may be done there is permitted, given a reason and audited."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.readonly_admin import ReadOnlyAdmin
from billing.exceptions import BillingError
from jobs.exceptions import LeaseLost, MoveRefusedError

# So many at once; more would outlast a request.
_AT_ONCE = 500
_REASON = gettext_lazy("Reason")


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that staff may do with rows.

    Attributes:
        name: of the admin action and in addresses; `has_<permission>_permission` guards it.
        title: what the button says.
        explanation: what it does, read before it is confirmed.
        asks: what is to be written, which stays in the audit.
        suits: whether a row's page offers it, as the row stands.
        do: does it with one row, for a reason; returns whether that changed anything, and raises LeaseLost
            or one of the page's `refusals` where it cannot be done.
    """

    name: str
    permission: str
    title: str | Promise
    explanation: str | Promise
    asks: str | Promise = _REASON
    suits: Callable[[Any], bool]
    do: Callable[[HttpRequest, Any, str], bool]


class ActingAdmin(ReadOnlyAdmin):
    """Reads rows and offers `acts` on them. Whatever else is posted here is refused with 403, and noted."""

    acts: tuple[Act, ...] = ()
    # What an act may raise whose text says why it cannot be done.
    refusals: tuple[type[Exception], ...] = (MoveRefusedError, BillingError)
    longest_reason = 120
    # How rows are named in addresses.
    key_converter = "uuid"

    # What may be done

    def may(self, request: HttpRequest, act: Act) -> bool:
        """Whether this member of staff may do that."""
        return request.user.has_perm(f"{self.opts.app_label}.{act.permission}")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the acts that this member of staff may choose above the list."""
        chosen = {}
        for act in self.acts:
            if self.may(request, act):
                chosen[act.name] = (_as_action(act), act.name, act.title)
        return chosen

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a row and what may be done with it."""
        row = self.get_object(request, object_id or "")
        acts = [act for act in self.acts if row is not None and act.suits(row) and self.may(request, act)]
        return super().changeform_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    # Doing it

    def get_urls(self) -> list[URLPattern]:
        """Add the page on which an act with one row is confirmed."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        view = self.admin_site.admin_view(self.confirm_view)
        return [
            path(f"<{self.key_converter}:object_id>/act/<slug:act_name>/", view, name=name),
            *super().get_urls(),
        ]

    def confirm_view(self, request: HttpRequest, object_id: Any, act_name: str) -> HttpResponse:
        """Ask for the reason before an act with one row; the answer goes to the list's action."""
        act = next((act for act in self.acts if act.name == act_name), None)
        row = self.get_object(request, str(object_id))
        if act is None or row is None:
            raise Http404
        if not self.may(request, act):
            self.refuse(request, act.name, str(object_id))
        return self.ask(request, act, [row])

    def act_on(self, request: HttpRequest, act: Act, chosen: models.QuerySet[Any]) -> HttpResponse | None:
        """Ask for the reason, or, when it was given, do the act with every row that allows it."""
        rows = list(chosen[:_AT_ONCE])
        reason = request.POST.get("reason", "").strip()[: self.longest_reason]
        if "confirmed" not in request.POST:
            return self.ask(request, act, rows)
        if not reason:
            return self.ask(request, act, rows, problem=_("Write the reason: it stays in the audit."))
        done = sum(self._do(request, act, row, reason) for row in rows)
        if done:
            sentence = ngettext("%(act)s: %(count)d done.", "%(act)s: %(count)d done.", done)
            self.message_user(request, sentence % {"act": act.title, "count": done}, messages.SUCCESS)
        return HttpResponseRedirect(self._way_back(rows))

    def ask(self, request: HttpRequest, act: Act, rows: Iterable[Any], problem: str = "") -> HttpResponse:
        """Show the page on which an act is confirmed; with a problem it answers 422."""
        rows = list(rows)
        context = {
            **self.admin_site.each_context(request),
            "title": act.title,
            "act": act,
            "rows": rows,
            "problem": problem,
            "opts": self.opts,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "list_url": self._list_url(),
            "back_url": self._way_back(rows),
            "longest": self.longest_reason,
        }
        status = 422 if problem else 200
        return TemplateResponse(request, "admin/jobs/act_confirm.html", context, status=status)

    def _do(self, request: HttpRequest, act: Act, row: Any, reason: str) -> bool:
        """Do an act with one row, with its line in the audit: both or neither."""
        try:
            with transaction.atomic():
                if act.do(request, row, reason):
                    self.log_change(request, row, f"{act.name}: {reason}")
                    return True
            problem = _("Nothing to do.")
        except LeaseLost:
            problem = _("It changed at this very moment. Look at it again.")
        except self.refusals as error:
            problem = str(error)
        self.message_user(request, f"{row}: {problem}", messages.WARNING)
        return False

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _way_back(self, rows: list[Any]) -> str:
        if len(rows) != 1:
            return self._list_url()
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[rows[0].pk])


def _as_action(act: Act) -> Callable[[Any, HttpRequest, models.QuerySet[Any]], HttpResponse | None]:
    """Return an act in the form of an action that Django admin calls for the rows that were chosen."""

    def action(
        model_admin: ActingAdmin, request: HttpRequest, chosen: models.QuerySet[Any]
    ) -> HttpResponse | None:
        return model_admin.act_on(request, act, chosen)

    return action
