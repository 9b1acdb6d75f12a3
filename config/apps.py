"""Django's entry to the house itself, and to its admin pages."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigConfig(AppConfig):
    """Holds the commands that concern the whole installation."""

    name = "config"
    default = True


class StudioAdminConfig(AdminConfig):
    """Django admin with the studio's own sign-in."""

    default_site = "config.admin_site.StudioAdminSite"
