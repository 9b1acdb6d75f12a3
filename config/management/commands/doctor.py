"""`manage.py doctor`: what is wrong here, and how to mend it."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config.doctor import Finding, Level, examine
from config.embedded_use import EmbeddedServerError, EmbeddedServers


class Command(BaseCommand):
    """Prints one line for each thing looked at; ends with code 1 when something does not work."""

    help = "Say what is wrong with this installation and how to mend it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the port that the studio would use."""
        parser.add_argument("--port", type=int, default=settings.LISTEN_PORT)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Examine and print."""
        with EmbeddedServers(settings.DATA_DIR) as servers:
            try:
                servers.ensure()
            except EmbeddedServerError as error:
                self._print(
                    Finding("Servers", Level.BAD, str(error), "The lines above are the server's own.")
                )
            levels = [self._print(finding) for finding in examine(options["port"])]
        if Level.BAD in levels:
            sys.exit(1)
        self.stdout.write("\nNothing stands in the way. Start the studio: make run")

    def _print(self, finding: Finding) -> Level:
        self.stdout.write(f"{finding.level.value:<5}{finding.title:<17}{finding.found}")
        if finding.mend:
            self.stdout.write(f"{'':<22}-> {finding.mend}")
        self.stdout.flush()
        return finding.level
