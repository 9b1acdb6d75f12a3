"""manage.py probe_base: how long training a LoRA on a base takes here. The idle train worker calls it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.exceptions import CatalogError
from catalog.files import materialise
from catalog.models import ModelVersion
from engines.errors import EngineError


class Command(BaseCommand):
    """Train on a base for some seconds and write what the parts of a training took."""

    help = "Measure how long training on a base takes on this machine, and write it as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        """The base's version, the device and its threads, and the file to write."""
        parser.add_argument("--base", required=True, help="id of the base's version")
        parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
        parser.add_argument("--threads", type=int, default=1)
        parser.add_argument("--out", type=Path, required=True)

    def handle(self, **options: Any) -> None:
        """Lay the base out and probe. Raises CommandError where it cannot be loaded or trained on."""
        from engines.diffusion.probe import write_probe  # noqa: PLC0415 -- imports torch

        base = ModelVersion.objects.get(pk=options["base"])
        try:
            write_probe(
                materialise(base), options["out"], device=options["device"], threads=options["threads"]
            )
        except (CatalogError, EngineError) as error:
            raise CommandError(str(error)) from error
