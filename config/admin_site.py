"""Django admin behind the studio's own sign-in."""

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class StudioAdminSite(AdminSite):
    """Does not exist for those who may not use it, and has no second sign-in page with limits of its own."""

    site_header = _("Atelier administration")
    site_title = _("Atelier administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the user is staff. Raises Http404 for somebody who is signed in and is not."""
        if request.user.is_authenticated and not request.user.is_staff:
            raise Http404
        return super().has_permission(request)

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        """Send the visitor to the studio's sign-in page, and staff on to the admin's first page."""
        if self.has_permission(request):
            return redirect(reverse("admin:index", current_app=self.name))
        next_page = request.GET.get("next") or request.path
        return redirect_to_login(next_page)
