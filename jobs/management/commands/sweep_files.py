"""`manage.py sweep_files`: removes stored files that no row points to; the dispatcher does it once a day."""

from argparse import ArgumentParser
from datetime import timedelta

from django.core.management.base import BaseCommand

from jobs.sweeps import KEPT_FOR, sweep_files


class Command(BaseCommand):
    """Runs one sweep."""

    help = "Remove stored files that a killed process left behind."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the age from which a file without a row is taken for left behind."""
        hours = KEPT_FOR / timedelta(hours=1)
        parser.add_argument("--hours", type=float, default=hours, help=f"older than this (default {hours:g})")

    def handle(self, *, hours: float, **_options: object) -> None:
        """Sweep, and say what went."""
        removed = sweep_files(older_than=timedelta(hours=hours))
        for key in removed:
            self.stdout.write(key)
        self.stdout.write(f"{len(removed)} files removed.")
