"""Pages of the account that allauth does not have."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

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
