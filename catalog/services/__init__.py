"""What can be done with models: publish, add a version, rename, delete; and what is there from the start."""

from catalog.services.bases import add_base_version, publish_base
from catalog.services.imports import answer_import, discard_import, start_import
from catalog.services.names import check_name_free, rename_model, suggest_names
from catalog.services.publish import add_version, publish_version
from catalog.services.remove import delete_model
from catalog.services.seed import seed_catalog

__all__ = [
    "add_base_version",
    "add_version",
    "answer_import",
    "check_name_free",
    "delete_model",
    "discard_import",
    "publish_base",
    "publish_version",
    "rename_model",
    "seed_catalog",
    "start_import",
    "suggest_names",
]
