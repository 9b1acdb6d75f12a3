"""The network at a model's address."""

from django.http import Http404, HttpRequest

from catalog.generators import Network, network_of
from catalog.models import CatalogModel, ModelVersion


def network_at(request: HttpRequest, handle: str, name: str) -> Network:
    """The network of the version that the form names (`version`, a number), else of the model's newest one.

    Raises Http404 where the model is no generator, or not shown to whoever asks.
    """
    models = CatalogModel.objects.reachable_by(request.user).filter(owner__handle=handle, name=name)
    versions = ModelVersion.objects.filter(model__in=models.values("pk")).select_related("model__owner")
    number = request.POST.get("version", "")
    if number:
        versions = versions.filter(number=int(number) if number.isdecimal() and len(number) < 9 else 0)
    version = versions.order_by("-number").first()
    if version is None:
        raise Http404
    try:
        return network_of(version)
    except ValueError as error:  # no generator
        raise Http404 from error
