"""Django's entry to the house itself."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Holds the commands that concern the whole installation."""

    name = "config"
