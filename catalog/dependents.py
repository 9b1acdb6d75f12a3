"""What of the catalog itself needs a model: trained models make pictures only on their base."""

from django.utils.translation import ngettext

from catalog.models import CatalogModel
from engines.manifest import LORA, TEXT_TO_IMAGE


def describe_trained(model: CatalogModel) -> str:
    """Return a sentence about the trained models that would be left without a base; "" where there are none.

    Another model with the same weights takes its place.
    """
    if model.family != TEXT_TO_IMAGE:
        return ""
    prints = {version.manifest["fingerprint"] for version in model.versions.all()}
    others = CatalogModel.objects.filter(family=TEXT_TO_IMAGE, withdrawn_at__isnull=True).exclude(pk=model.pk)
    kept = set(
        others.filter(versions__manifest__fingerprint__in=prints).values_list(
            "versions__manifest__fingerprint", flat=True
        )
    )
    alone = list(prints - kept)
    count = (
        CatalogModel.objects.filter(family=LORA, versions__manifest__base__fingerprint__in=alone)
        .distinct()
        .count()
    )
    if not count:
        return ""
    sentence = ngettext(
        "%(count)d trained model makes its pictures on this base. Delete it first.",
        "%(count)d trained models make their pictures on this base. Delete them first.",
        count,
    )
    return sentence % {"count": count}
