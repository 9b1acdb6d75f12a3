"""What the page that deletes a model says of the pictures made with it."""

from django.db.models import Q
from django.utils.translation import ngettext

from catalog.models import CatalogModel
from generation.models import Picture, SavedPoint


def describe_pictures(model: CatalogModel) -> str:
    """Return how many pictures were made with any version of the model, and what becomes of them."""
    used = Q(generation__model_version__model=model) | Q(generation__adapter__model=model)
    count = Picture.objects.filter(used).count()
    if not count:
        return ""
    sentence = ngettext(
        "%(count)d image was made with it. It stays in the gallery, but cannot be made again.",
        "%(count)d images were made with it. They stay in the gallery, but cannot be made again.",
        count,
    )
    return sentence % {"count": count}


def describe_points(model: CatalogModel) -> str:
    """Say how many points were pinned in any version of the model; "" where there are none."""
    count = SavedPoint.objects.filter(version__model=model).count()
    if not count:
        return ""
    told = ngettext(
        "%(count)d point was pinned in it. It goes with the model.",
        "%(count)d points were pinned in it. They go with the model.",
        count,
    )
    return told % {"count": count}
