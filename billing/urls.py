"""Addresses of credits."""

from django.urls import path

from billing import views

app_name = "billing"

urlpatterns = [
    path("", views.show_account, name="account_detail"),
    path("receipts/", views.list_receipts, name="receipt_list"),
    path("movements/", views.list_movements, name="movement_list"),
]
