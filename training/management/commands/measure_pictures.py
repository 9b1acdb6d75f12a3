"""manage.py measure_pictures: once, for pictures that were added before they were measured on arrival."""

from django.core.management.base import BaseCommand

from training.measuring import measure_dataset
from training.models import Dataset


class Command(BaseCommand):
    """Measure what was not measured; running it again does no harm."""

    help = "Take the figures and prints of pictures that lack them, and count every dataset anew."

    def handle(self, **_options: object) -> None:
        """Go through all datasets, the smallest first."""
        for dataset in Dataset.objects.order_by("picture_count"):
            measured = measure_dataset(dataset)
            self.stdout.write(f"{dataset.pk}: {measured} measured")
