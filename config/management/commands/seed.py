"""`manage.py seed`: what the studio ships with."""

from typing import Any

from django.core.management.base import BaseCommand

from catalog.services import seed_catalog


class Command(BaseCommand):
    """Puts licences and starting points into the catalog; may be run at any time."""

    help = "Put the licences and the shipped starting points into the catalog."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Seed."""
        seed_catalog()
