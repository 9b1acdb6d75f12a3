"""`manage.py backup`: everything in one file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import backup


class Command(BaseCommand):
    """Writes a backup; the studio may run meanwhile."""

    help = "Write database, files and kept secrets into one tar."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file to write."""
        parser.add_argument("--to", type=Path, help="the file to write; by default in the data directory")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write it."""
        target: Path = options["to"] or backup.default_target(settings.DATA_DIR)
        try:
            backup.write_backup(target)
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Wrote {target} ({target.stat().st_size / 1e6:.1f} MB). Keep it private.")
        self.stdout.write(f"To put it back: make restore FROM={target}")
        if settings.FILES_BUCKET:
            self.stdout.write("The files lie in a bucket and are not in it: back the bucket up too.")
