"""Django's entry to the catalog app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    """Names the app."""

    name = "catalog"
    verbose_name = _("Catalog")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which stored files are the catalog's, and that trained models need their base."""
        from catalog.dependents import describe_trained  # noqa: PLC0415 - apps must be loaded
        from catalog.files import keys_in_use, remove_keys  # noqa: PLC0415 - as above
        from catalog.registry import Dependents, register_dependents  # noqa: PLC0415 - as above
        from jobs.sweeps import StoredFiles, register_files  # noqa: PLC0415 - as above

        register_files(StoredFiles(name="catalog", prefix="weights", in_use=keys_in_use, remove=remove_keys))
        register_dependents(Dependents(name="trained models", describe=describe_trained, blocks=True))
