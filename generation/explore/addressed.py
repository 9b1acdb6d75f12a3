"""The network at a model's address, and the addresses of networks."""

from django.http import Http404, HttpRequest
from django.urls import reverse

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


def map_url(network: Network) -> str:
    """Return the address of a network's map."""
    if network.version is None:
        return reverse("generation:network_map", args=[network.key])
    model = network.version.model
    whole = reverse("generation:map_detail", args=[model.owner.handle, model.name])
    return f"{whole}?v={network.version.number}"


def pin_url(network: Network) -> str:
    """Return the address to which points are sent that are pinned in a network."""
    if network.version is None:
        return reverse("generation:network_point_create", args=[network.key])
    model = network.version.model
    return reverse("generation:point_create", args=[model.owner.handle, model.name])
