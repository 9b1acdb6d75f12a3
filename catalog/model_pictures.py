"""The stored pictures of models' pages."""

import uuid
from collections.abc import Collection

from catalog.models import ModelPicture

PREFIX = "pictures"


def new_key(model_id: uuid.UUID, ending: str = "png") -> str:
    """Return a storage key for another picture of a model."""
    return f"{PREFIX}/{model_id}/{uuid.uuid4()}.{ending}"


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `pictures/` that a model's page shows."""
    return set(ModelPicture.objects.filter(file__in=keys).values_list("file", flat=True))
