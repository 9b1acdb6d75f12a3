"""What of training depends on a model of the catalog."""

from django.utils.translation import ngettext

from catalog.models import CatalogModel
from training.models import Experiment


def describe_experiments(model: CatalogModel) -> str:
    """Say how many experiments have the model as their starting point; "" when none has."""
    count = Experiment.objects.filter(starting_point__model=model).count()
    if not count:
        return ""
    sentence = ngettext(
        "%(count)d experiment started from this model. Delete it first.",
        "%(count)d experiments started from this model. Delete them first.",
        count,
    )
    return sentence % {"count": count}
