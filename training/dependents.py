"""What of training depends on a model of the catalog."""

from django.utils.translation import ngettext

from catalog.models import CatalogModel
from training.models import AITraining, Experiment


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


def describe_ai_trainings(model: CatalogModel) -> str:
    """Say how many AI trainings have the model as their base; "" when none has."""
    count = AITraining.objects.filter(base__model=model).count()
    if not count:
        return ""
    sentence = ngettext(
        "%(count)d AI training was made on this base. Delete it first.",
        "%(count)d AI trainings were made on this base. Delete them first.",
        count,
    )
    return sentence % {"count": count}
