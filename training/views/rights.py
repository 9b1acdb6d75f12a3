"""The page on which one states the rights to a dataset's pictures."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from training import services, withdrawn
from training.rights import rights_problem
from training.rights_forms import RightsForm
from training.views.access import own_dataset
from training.views.requests import StudioRequest


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def state_rights(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show what was stated, and take what is stated now; then go on where `next` says, or to the dataset."""
    dataset = own_dataset(request, pk)
    following = _own_address(request, request.POST.get("next") or request.GET.get("next", ""))
    form = RightsForm(request.POST if request.method == "POST" else None, instance=dataset)
    if request.method == "POST" and form.is_valid():
        services.state_rights(dataset=dataset, **form.values())
        problem = rights_problem(dataset)
        if problem:
            messages.warning(request, problem)
            return redirect("training:dataset_rights", pk)
        messages.success(request, _("Your rights are stated. You can train on these pictures."))
        return redirect(following or reverse("training:dataset_detail", args=[pk]))
    # The form has written what was typed into the row: the page's head shows what is stored.
    stored = own_dataset(request, pk)
    context = {
        "dataset": stored,
        "form": form,
        "following": following,
        "problem": "" if form.is_bound else rights_problem(stored),
        "withdrawals": withdrawn.count_withdrawals(stored),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "training/dataset_rights.html", context, status=status)


def _own_address(request: StudioRequest, address: str) -> str:
    """The address, where it is one of the studio's own; else ""."""
    is_own = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_own else ""
