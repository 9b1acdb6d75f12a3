"""The page on which staff give back credits of a job: a preview, a reason, and once."""

import uuid
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.readonly_admin import staff_of
from billing.exceptions import BillingError
from billing.selectors import balance_of
from jobs.admin.base import ActingAdmin
from jobs.administration import credits_charged, credits_given_back, give_credits_back
from jobs.forms import GiveBackForm
from jobs.models import Job


def give_back(model_admin: ActingAdmin, request: HttpRequest, job: Job) -> HttpResponse:
    """Show what would be given back (GET), or give it back (POST).

    A form that is not in order is shown again, filled, with 422. A page that was sent already does nothing.
    """
    charged = credits_charged(job)
    if request.method != "POST":
        token = uuid.uuid4()
        request.session[_key(job)] = str(token)
        form = GiveBackForm(charged=charged, initial={"amount": charged or None, "token": token})
        return _page(model_admin, request, job, form)
    form = GiveBackForm(request.POST, charged=charged)
    if not form.is_valid():
        return _page(model_admin, request, job, form, status=422)
    if request.session.get(_key(job)) != str(form.cleaned_data["token"]):
        model_admin.message_user(
            request, _("That page was sent already, or another was opened since."), messages.WARNING
        )
        return _to(job)
    amount, reason = form.cleaned_data["amount"], form.cleaned_data["reason"]
    try:
        with transaction.atomic():
            give_credits_back(job=job, amount=amount, staff=staff_of(request), reason=reason)
            model_admin.log_change(request, job, f"gave back {amount} credits: {reason}")
    except BillingError as error:
        form.add_error(None, str(error))
        return _page(model_admin, request, job, form, status=422)
    del request.session[_key(job)]
    model_admin.message_user(request, _("The credits are back with the owner."), messages.SUCCESS)
    return _to(job)


def _page(
    model_admin: ActingAdmin, request: HttpRequest, job: Job, form: GiveBackForm, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": _("Give credits back"),
        "opts": model_admin.opts,
        "job": job,
        "form": form,
        "charged": credits_charged(job),
        "given_back": credits_given_back(job),
        "balance": balance_of(job.owner),
    }
    return TemplateResponse(request, "admin/jobs/job/give_back.html", context, status=status)


def _key(job: Job) -> str:
    return f"give-back:{job.pk}"


def _to(job: Job) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
