"""`manage.py studio`: the whole studio on one machine."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.embedded import EmbeddedServerError
from config.studio import Studio, StudioError


class Command(BaseCommand):
    """Starts and supervises servers, web, workers and dispatcher until Ctrl-C."""

    help = "Run everything on this machine until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the port, and whether a first start shows the main job."""
        parser.add_argument("--port", type=int, default=settings.LISTEN_PORT, help="where to listen")
        parser.add_argument(
            "--no-main-job",
            action="store_true",
            help="don't train the demo account's first model on a first start",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the studio."""
        if settings.IN_PRODUCTION:
            raise CommandError("In production each part is a command of its own: see docs/operate.md.")
        studio = Studio(
            host=settings.LISTEN_HOST,
            port=options["port"],
            main_job=not options["no_main_job"],
            say=self._say,
        )
        try:
            studio.run()
        except (StudioError, EmbeddedServerError) as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
