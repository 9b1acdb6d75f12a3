"""Every address of the studio."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import guides, legal, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("healthz", views.alive, name="alive"),
    path("readyz", views.ready, name="ready"),
    path("guides/", guides.list_guides, name="guide_list"),
    path("guides/<slug:slug>/", guides.show_guide, name="guide_detail"),
    path("legal/<slug:slug>/", legal.show_legal, name="legal_detail"),
    path("account/", include("accounts.urls")),
    path("account/", include("allauth.account.urls")),
    path("account/security/", include("allauth.mfa.urls")),
    path("admin/", admin.site.urls),
    path("billing/", include("billing.urls")),
    path("", include("catalog.urls")),
    path("", include("training.urls")),
    path("", include("generation.urls")),
]

handler400 = "config.views.bad_request"
handler403 = "config.views.forbidden"
handler404 = "config.views.not_found"
handler429 = "config.views.too_many_requests"
handler500 = "config.views.server_error"
