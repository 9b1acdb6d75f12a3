"""How often models are used: what the directory sorts by."""

from collections import Counter
from uuid import UUID

from catalog.models import CatalogModel, ModelVersion
from catalog.registry import uses_by_version

_BATCH = 500


def recount_uses() -> int:
    """Count again how often each model was used. Return how many had to be changed.

    Effect: writes the rows whose count is different, and nothing else of them.
    """
    by_version = uses_by_version()
    found = ModelVersion.objects.filter(pk__in=by_version).values_list("pk", "model")
    by_model: Counter[UUID] = Counter()
    for version, model in found:
        by_model[model] += by_version[version]
    models = CatalogModel.objects.only("pk", "use_count")
    changed = [model for model in models.iterator() if model.use_count != by_model[model.pk]]
    for model in changed:
        model.use_count = by_model[model.pk]
    CatalogModel.objects.bulk_update(changed, ["use_count"], batch_size=_BATCH)
    return len(changed)
