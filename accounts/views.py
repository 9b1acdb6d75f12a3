"""Pages of the account that allauth does not have."""

from http import HTTPStatus
from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.belongings import everything_of, parts
from accounts.erasure import request_erasure
from accounts.exceptions import EraseRefusedError, HandleRefusedError
from accounts.forms import MailForm, ProfileForm
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from accounts.sessions import device_name
from accounts.zips import zip_response


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
def change_profile(request: AccountHttpRequest) -> HttpResponse:
    """Change what others see of whoever asks."""
    assert isinstance(request.user, User)
    is_sent = request.method == "POST"
    form = ProfileForm(request.POST if is_sent else None, user=request.user)
    if is_sent and form.is_valid():
        try:
            form.save()
        except HandleRefusedError as refusal:
            form.add_error("handle", str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("account_profile")
    former = request.user.former_handles.values_list("handle", flat=True)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "account/profile.html", {"form": form, "former": former}, status=status)


class SessionsView(ListUserSessionsView):  # type: ignore[misc]  # allauth is untyped
    """Where one is signed in, and signing out everywhere else."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Name the browsers; note this session too, should it have begun before sessions were noted."""
        if not UserSession.objects.filter(session_key=self.request.session.session_key).exists():
            UserSession.objects.create_from_request(self.request)
        context: dict[str, Any] = super().get_context_data(**kwargs)
        newest_first = reversed(context["sessions"])
        context["shown"] = [
            {"session": session, "device": device_name(session.user_agent), "is_here": session.is_current()}
            for session in sorted(newest_first, key=lambda session: not session.is_current())
        ]
        return context


show_sessions = require_http_methods(["GET", "HEAD", "POST"])(SessionsView.as_view())


@require_safe
@login_required
def show_belongings(request: AccountHttpRequest) -> HttpResponse:
    """Show what of one's own is in the studio, and where it can be downloaded."""
    assert isinstance(request.user, User)
    shown = [{"part": part, "lines": part.describe(request.user)} for part in parts()]
    may_download = not _is_password_due(request)
    return render(request, "account/belongings.html", {"parts": shown, "may_download": may_download})


@require_safe
@login_required
def confirm_belongings(request: AccountHttpRequest) -> HttpResponse:
    """Ask for the password once more, where it was not given lately, and go back to what is one's own."""
    _need_password(request)
    return redirect("account_data")


@require_safe
@login_required
def download_belongings(request: AccountHttpRequest, name: str = "") -> HttpResponseBase:
    """Send one part of what is one's own, or all of it, after the password was asked for once more."""
    if name not in ("", *(part.name for part in parts())):
        raise Http404
    _need_password(request)
    user = request.user
    assert isinstance(user, User)
    filename = "-".join(filter(None, [user.handle, name, timezone.localdate().isoformat()]))
    return zip_response(everything_of(user, [name] if name else ()), f"{filename}.zip", is_large=True)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def erase_account(request: AccountHttpRequest) -> HttpResponse:
    """Erase one's account with everything in it, after the password was asked for once more."""
    if request.method != "POST":
        return render(request, "account/erase.html")
    _need_password(request)
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


def _need_password(request: AccountHttpRequest) -> None:
    """Have the password asked for once more, unless it was given lately; then the request comes again."""
    if _is_password_due(request):
        raise ReauthenticationRequired  # allauth's middleware answers it


def _is_password_due(request: AccountHttpRequest) -> bool:
    return bool(is_reauthentication_required(request, app=""))
