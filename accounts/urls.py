"""Addresses of the account's pages that allauth does not have."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("mail/", views.change_mail, name="mail_settings"),
    path("profile/", views.change_profile, name="account_profile"),
    path("sessions/", views.show_sessions, name="usersessions_list"),
    path("data/", views.show_belongings, name="account_data"),
    path("data/confirm/", views.confirm_belongings, name="account_data_confirm"),
    path("data/everything.zip", views.download_belongings, name="account_download"),
    path("data/<slug:name>.zip", views.download_belongings, name="account_download_part"),
    path("erase/", views.erase_account, name="account_erase"),
]
