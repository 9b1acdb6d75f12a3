"""Django's entry to the house itself, and to its admin pages."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ConfigConfig(AppConfig):
    """Holds the commands that concern the whole installation."""

    name = "config"
    default = True


class StudioAdminConfig(admin_apps.AdminConfig):
    """Django admin with the studio's own sign-in."""

    default = False
    default_site = "config.admin_site.StudioAdminSite"
