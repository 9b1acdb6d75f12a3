"""manage.py reconcile_billing: whether the books agree with themselves and with Stripe."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from billing.exceptions import BillingError
from billing.inbox import drain_inbox, fetch_missed_events
from billing.reconcile import find_differences


class Command(BaseCommand):
    """Reports, and ends with 1 where something differs."""

    help = "Compare the ledger with its entries, and our rows with Stripe's; ends with 1 on a difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what is to be done about it."""
        parser.add_argument("--mend", action="store_true", help="take over what Stripe knows better")
        parser.add_argument("--books-only", action="store_true", help="do not ask Stripe")

    def handle(self, *, mend: bool, books_only: bool, **_options: object) -> None:
        """Print the differences. Raises CommandError (exit status 1) when any is left."""
        try:
            if mend and not books_only:
                missed = fetch_missed_events()
                self.stdout.write(f"{missed} events were missed, {drain_inbox()} were worked in.")
            differences = find_differences(mend=mend, ask_stripe=not books_only)
        except BillingError as error:
            raise CommandError(str(error)) from error
        for difference in differences:
            self.stdout.write(str(difference))
        left = sum(not difference.is_mended for difference in differences)
        self.stdout.write(f"{len(differences)} differences, {left} of them left.")
        if left:
            raise CommandError(f"{left} differences are left.")
