"""Tiny ONNX models in the catalog, for tests of runs."""

from pathlib import Path

from accounts.models import User
from catalog.models import CatalogModel, Licence, ModelVersion, Visibility
from catalog.services import publish_version
from tests.engines.onnx import networks


def publish_doubler(owner: User, folder: Path, **values: object) -> ModelVersion:
    """A model that transforms a picture into one of twice its size."""
    return _publish(owner, networks.write_doubler(folder), "doubler", CatalogModel.Type.TRANSFORM, values)


def publish_painter(owner: User, folder: Path, **values: object) -> ModelVersion:
    """A model that identifies a picture's colour."""
    return _publish(owner, networks.write_painter(folder), "painter", CatalogModel.Type.EXTRACT, values)


def _publish(owner, folder, name, type_, values):
    values = {"visibility": Visibility.PUBLIC, "title": name.capitalize(), **values}
    licence = Licence.objects.get(slug="cc0-1.0")
    return publish_version(owner=owner, folder=folder, name=name, type=type_, licence=licence, **values)
