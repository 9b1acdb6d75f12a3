"""What can be explored: the generator of a model's version, and networks that the apps above have.

A network is named by a key, "version:<uuid>" or what another app has registered ("snapshot:<uuid>"). Whoever
asks for one that they may not see is told that there is none.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.files import materialise
from catalog.models import CatalogModel, ModelVersion, Visibility
from engines.manifest import FAMILIES, GENERATOR_FILE, ModelInfo

VERSION = "version"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A generator whose latent space can be looked at.

    Attributes:
        key: its name here, "version:<uuid>" or "snapshot:<uuid>".
        sha256: of the generator, as points name it (`ModelInfo.sha256`).
        title: the model or the training that it is of.
        label: which of that one's networks it is: "Version 2", "Step 1,000".
        info: what model.json says; `info.resolution` is the side of its pictures.
        version: of which it is the generator; None for what is no model yet.
        owner_id: whose it is.
        is_public: whether somebody who is not signed in may look at it.
        training: the training that it is a snapshot of, or was saved from (`CatalogModel.saved_from`).
        relatives: generators whose points it takes besides those of its lineage.
        home: address of the page of its model or training.
    """

    key: str
    sha256: str
    title: str
    label: str
    info: ModelInfo
    version: ModelVersion | None
    owner_id: uuid.UUID
    is_public: bool
    training: uuid.UUID | None = None
    relatives: frozenset[str] = field(default_factory=frozenset)
    home: str = ""

    @property
    def resolution(self) -> int:
        """Side of its pictures in pixels."""
        return self.info.resolution

    @property
    def accepted(self) -> frozenset[str]:
        """The generators whose values of w it takes: its own, its lineage's, its relatives'."""
        ancestors = {str(entry["sha256"]) for entry in self.info.lineage if entry.get("kind") == "model"}
        return self.relatives | ancestors | {self.sha256}


# Whoever looks; None for a worker, which does what somebody was allowed to ask for.
Viewer = User | AnonymousUser | None


@dataclass(frozen=True, kw_only=True)
class NetworkKind:
    """A kind of network and who knows it.

    Attributes:
        find: returns the network with this number, None where there is none that the viewer may see.
        folder: returns its model folder on this machine; raises BrokenModelError, or FileNotFoundError.
        siblings: returns the keys of the networks to see beside it, with their labels, the oldest first.
    """

    find: Callable[[uuid.UUID, Viewer], Network | None]
    folder: Callable[[uuid.UUID], Path]
    siblings: Callable[[Network], list[tuple[str, str]]]


def register_networks(name: str, kind: NetworkKind) -> None:
    """Add a kind of network; registering the same name again replaces it."""
    _kinds[name] = kind


def find_network(key: str, viewer: Viewer) -> Network | None:
    """Return a network by its key, None where there is none that the viewer may see."""
    kind, number = _read(key)
    return kind.find(number, viewer) if kind and number else None


def network_folder(key: str) -> Path:
    """Return a network's model folder on this machine, in a worker; do not write into it.

    Raises BrokenModelError where files are missing, FileNotFoundError where there is no such network.
    """
    kind, number = _read(key)
    if kind is None or number is None:
        raise FileNotFoundError(key)
    return kind.folder(number)


def siblings_of(network: Network) -> list[tuple[str, str]]:
    """Return key and label of the networks to see beside this one, itself among them, the oldest first."""
    kind, _number = _read(network.key)
    return kind.siblings(network) if kind else []


def network_of(version: ModelVersion) -> Network:
    """Return the network of a version with its model and that one's owner. No query, and no check of access.

    Raises ValueError for a model that is no generator with a latent space.
    """
    model = version.model
    if model.family not in FAMILIES:
        raise ValueError(f"{model.family} has no latent space")
    info = info_of(version.manifest)
    return Network(
        key=version_key(version.pk),
        sha256=info.files[GENERATOR_FILE],
        title=model.title,
        label=_("Version %(number)d") % {"number": version.number},
        info=info,
        version=version,
        owner_id=model.owner_id,
        is_public=model.visibility != Visibility.PRIVATE and model.withdrawn_at is None,
        training=model.saved_from,
        home=reverse("catalog:model_detail", args=[model.owner.handle, model.name]),
    )


def version_key(number: uuid.UUID) -> str:
    """Return the key of a version's network."""
    return f"{VERSION}:{number}"


def info_of(manifest: dict[str, object]) -> ModelInfo:
    """Read the content of a model.json that was checked when it was stored."""
    known = {item.name for item in fields(ModelInfo)}
    # JSON of any shape to mypy; a manifest was checked when it was published.
    return ModelInfo(**{name: value for name, value in manifest.items() if name in known})  # type: ignore[arg-type]


def _read(key: str) -> tuple[NetworkKind | None, uuid.UUID | None]:
    name, _colon, number = key.partition(":")
    try:
        return _kinds.get(name), uuid.UUID(number)
    except ValueError:
        return None, None


def _find_version(number: uuid.UUID, viewer: Viewer) -> Network | None:
    versions = ModelVersion.objects.select_related("model__owner").filter(model__family__in=FAMILIES)
    if viewer is not None:
        versions = versions.filter(model__in=CatalogModel.objects.reachable_by(viewer).values("pk"))
    version = versions.filter(pk=number).first()
    return network_of(version) if version else None


def _version_folder(number: uuid.UUID) -> Path:
    version = ModelVersion.objects.filter(pk=number).first()
    if version is None:
        raise FileNotFoundError(number)
    return materialise(version)


def _versions_beside(network: Network) -> list[tuple[str, str]]:
    assert network.version is not None
    versions = ModelVersion.objects.filter(model=network.version.model_id).order_by("number")
    label = _("Version %(number)d")
    return [
        (version_key(pk), label % {"number": number}) for pk, number in versions.values_list("pk", "number")
    ]


_kinds: dict[str, NetworkKind] = {
    VERSION: NetworkKind(find=_find_version, folder=_version_folder, siblings=_versions_beside)
}
