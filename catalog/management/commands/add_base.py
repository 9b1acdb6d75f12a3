"""`manage.py add_base`: a diffusers folder on this machine becomes a base of text to image."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat
from django.utils.text import slugify

from accounts.models import User
from catalog.bases import BasePreview, preview_base
from catalog.exceptions import CatalogError
from catalog.licences import terms
from catalog.models import Licence, Visibility
from catalog.services import publish_base
from catalog.services.seed import ensure_publisher


class Command(BaseCommand):
    """Shows what a folder is and asks for, then copies it into the studio. Nothing is ever downloaded."""

    help = "Add a base model for Text to Image from a diffusers folder on this machine."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder, its licence, and what the base is to be called."""
        parser.add_argument("path", type=Path, help="the folder that holds model_index.json")
        parser.add_argument("--license", required=True, help="the licence of its weights, by its short name")
        parser.add_argument("--name", help="its address in the catalog (default: the folder's name)")
        parser.add_argument("--title", help="what people read (default: the folder's name)")
        parser.add_argument(
            "--public", action="store_true", help="let everybody use it, not the administrator alone"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, **options: Any) -> None:
        """Show, ask, publish."""
        folder: Path = options["path"].resolve()
        licence = _licence(options["license"])
        try:
            self._tell(preview_base(folder), licence)
            if not options["yes"] and input("Add it? [y/N] ").strip().lower() not in ("y", "yes"):
                self.stdout.write("Nothing was changed.")
                return
            version = publish_base(
                owner=ensure_publisher() if options["public"] else _administrator(),
                folder=folder,
                name=options["name"] or slugify(folder.name),
                title=options["title"] or folder.name,
                licence=licence,
                visibility=Visibility.PUBLIC if options["public"] else Visibility.PRIVATE,
            )
        except CatalogError as error:
            raise CommandError(str(error.message)) from error
        self.stdout.write(f"{version.model.address} is there: {version.sha256}")

    def _tell(self, preview: BasePreview, licence: Licence) -> None:
        allowed = ", ".join(str(term.title) for term in terms(licence.permissions)) or "nothing"
        asked = [*(str(term.title) for term in terms(licence.conditions)), *licence.use_restrictions]
        commercial = "may be" if licence.outputs_commercial else "may not be"
        rows = {
            "Base": f"{preview.kind}, {preview.resolution} x {preview.resolution} pixels",
            "Licence": f"{licence.name}; {licence.summary}",
            "It allows": f"{allowed}; pictures {commercial} used commercially",
            "It asks": "; ".join(asked) or "nothing",
            "Size": f"{filesizeformat(preview.size_bytes)}, {preview.parameters / 1e6:,.1f} M parameters",
            "Memory": f"about {filesizeformat(preview.generate_bytes)} for pictures, "
            f"{filesizeformat(preview.train_bytes)} for training",
            "Speed": _speed(preview),
        }
        for name, text in rows.items():
            self.stdout.write(f"{name + ':':12}{text}")


def _licence(slug: str) -> Licence:
    licence = Licence.objects.filter(slug=slug).first()
    if licence is None:
        known = ", ".join(Licence.objects.values_list("slug", flat=True)) or "none: run manage.py seed"
        raise CommandError(f"There is no licence “{slug}”. These are: {known}.")
    return licence


def _administrator() -> User:
    """Who may use what is not for everybody: the first administrator."""
    found = User.objects.filter(is_superuser=True, is_active=True).order_by("date_joined").first()
    if found is None:
        raise CommandError("There is no administrator yet. Run manage.py createsuperuser, or say --public.")
    return found


def _speed(preview: BasePreview) -> str:
    if preview.seconds is None:
        return "not known: the first worker that is idle measures this machine"
    seconds = preview.seconds
    return (
        f"estimated for this machine: {seconds.picture:,.1f} s a picture, "
        f"{seconds.training_step:,.2f} s a step of training"
    )
