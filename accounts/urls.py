"""Addresses of the account's pages that allauth does not have."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("mail/", views.change_mail, name="mail_settings"),
    path("erase/", views.erase_account, name="account_erase"),
]
