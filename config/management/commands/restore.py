"""`manage.py restore`: a backup in the place of what is there."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from config import backup
from config.embedded_use import EmbeddedServers


class Command(BaseCommand):
    """Puts a backup back, after saving what is there."""

    help = "Put a backup in the place of what is there; what was there is saved first."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the backup."""
        parser.add_argument("source", type=Path, help="the backup to put back")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Save what is there, then restore."""
        source: Path = options["source"]
        try:
            with backup.studio_stopped(settings.DATA_DIR), EmbeddedServers(settings.DATA_DIR) as servers:
                servers.ensure()
                if connection.introspection.table_names():
                    before = backup.default_target(settings.DATA_DIR, "before-restore")
                    backup.write_backup(before)
                    self.stdout.write(f"What was there is saved in {before}")
                backup.restore_backup(source)
                connection.close()
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored {source}. Start the studio again: make run")
