"""manage.py sync_stripe: bring plans, packs and coupons to Stripe."""

from django.core.management.base import BaseCommand, CommandError

from billing.exceptions import BillingError
from billing.shop import sync_shop


class Command(BaseCommand):
    """Makes what is not there; running it again does no harm."""

    help = "Make the products, prices, coupons and portal settings by which Stripe sells our rows."

    def handle(self, **_options: object) -> None:
        """Say what was made. Raises CommandError when Stripe does not take it."""
        try:
            made = sync_shop()
        except BillingError as error:
            raise CommandError(f"{error} {getattr(error, 'detail', '')}".strip()) from error
        for line in made:
            self.stdout.write(line)
        self.stdout.write(f"{len(made)} made; everything that is for sale is at Stripe.")
