"""`manage.py first_run`: the main job for the demo account; `studio` starts it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config import demo, first_run


class Command(BaseCommand):
    """Goes through the main job once in a data directory, from wherever it stands."""

    help = "Train the demo account's first model and make its first images."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address for the links."""
        parser.add_argument("--site", default=f"http://{settings.LISTEN_HOST}:{settings.LISTEN_PORT}/")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run it."""
        first_run.run_once(
            demo.ensure_demo_login(settings.DATA_DIR).user,
            site=options["site"],
            marker=settings.DATA_DIR / first_run.MARKER,
            say=self.stdout.write,
        )
