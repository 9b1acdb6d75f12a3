"""Pages of the account that allauth does not have."""

from http import HTTPStatus

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.erasure import request_erasure
from accounts.exceptions import EraseRefusedError
from accounts.forms import MailForm
from accounts.middleware import AccountHttpRequest
from accounts.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change_mail(request: AccountHttpRequest) -> HttpResponse:
    """Choose what the studio writes to whoever asks."""
    assert isinstance(request.user, User)
    is_sent = request.method == "POST"
    form = MailForm(request.POST if is_sent else None, instance=request.user)
    if is_sent and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("mail_settings")
    return render(request, "account/mail.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def erase_account(request: AccountHttpRequest) -> HttpResponse:
    """Erase one's account with everything in it, after the password was asked for once more."""
    if request.method != "POST":
        return render(request, "account/erase.html")
    response: HttpResponse = _erase(request)
    return response


@reauthentication_required  # type: ignore[untyped-decorator]  # allauth is untyped
def _erase(request: AccountHttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    try:
        request_erasure(user=request.user)
    except EraseRefusedError as error:
        return render(request, "account/erase.html", {"problem": str(error)}, status=HTTPStatus.CONFLICT)
    logout(request)
    messages.success(
        request,
        _("Your account is closed. Your plan is canceled first, then everything of yours is deleted."),
    )
    return redirect("home")
