"""Addresses of the account's pages that allauth does not have."""

from django.urls import path

from accounts import views

urlpatterns = [path("mail/", views.change_mail, name="mail_settings")]
