"""Questions about the catalog that more than one page asks."""

from functools import lru_cache

from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.db.models import CharField, Exists, OuterRef, Prefetch, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from accounts.models import User
from catalog.files import weight_key
from catalog.manifests import SAMPLE_GRID
from catalog.models import CatalogModel, Licence, LicenceGrant, ModelFile, ModelVersion
from engines.diffusion.words import Words, read_words
from engines.manifest import DISCRIMINATOR_FILE, LORA, STYLEGAN2, TEXT_TO_IMAGE

# Families whose models the studio can run.
RUNNABLE_FAMILIES = (STYLEGAN2,)


def latest_versions() -> QuerySet[ModelVersion]:
    """Every model's newest version with its model, owner and licence, `has_grid` and `licence_label`."""
    return _latest_versions().select_related("model__owner", "licence")


def _latest_versions() -> QuerySet[ModelVersion]:
    """Every model's newest version, `has_grid` and `licence_label`.

    The label is the short name of the licence that holds: what was granted last, else what it came with.
    """
    newest = ModelVersion.objects.filter(model=OuterRef("model")).order_by("-number").values("pk")[:1]
    grid = ModelFile.objects.filter(version=OuterRef("pk"), path=SAMPLE_GRID)
    grants = LicenceGrant.objects.filter(source=OuterRef("source")).order_by("-granted_at")
    return ModelVersion.objects.filter(pk=Subquery(newest)).annotate(
        has_grid=Exists(grid),
        licence_label=Coalesce(
            Subquery(grants.values(label=_label("licence__"))[:1]),
            _label("licence__"),
            output_field=CharField(),
        ),
    )


def _label(path: str) -> Coalesce:
    """The short name of a licence where it has one, else its name."""
    return Coalesce(NullIf(f"{path}spdx_id", Value("")), f"{path}name", output_field=CharField())


def with_latest_version(models: QuerySet[CatalogModel]) -> QuerySet[CatalogModel]:
    """Prefetch owner and newest version: the one item of `model.newest` (empty before there is one).

    Of the version only what tells it apart, no manifest and no licence's text: a page shows many.
    """
    versions = _latest_versions().only("model_id", "number", "sha256", "resolution")
    return models.select_related("owner").prefetch_related(
        Prefetch("versions", queryset=versions, to_attr="newest")
    )


def _usable(user: User | AnonymousUser, *families: str) -> QuerySet[ModelVersion]:
    """Newest versions of the models of these families that the user may use here."""
    visible = CatalogModel.objects.visible_to(user).filter(withdrawn_at__isnull=True)
    return latest_versions().filter(model__in=visible, model__family__in=families)


def _named(user: User | AnonymousUser, address: str, *families: str) -> QuerySet[CatalogModel]:
    """The model at an address, if the user may use it: who knows the address, an unlisted one, too."""
    handle, _, name = address.partition("/")
    reachable = CatalogModel.objects.reachable_by(user).filter(withdrawn_at__isnull=True)
    return reachable.filter(owner__handle=handle, name=name, family__in=families)


def _newest(models: QuerySet[CatalogModel]) -> ModelVersion | None:
    """The newest version of one model, without what lists tell besides: that takes thrice as long."""
    versions = ModelVersion.objects.filter(model__in=models.values("pk")).order_by("-number")
    return versions.select_related("model__owner").first()


def runnable_models(user: User | AnonymousUser) -> QuerySet[ModelVersion]:
    """Newest versions of the models that the user may run here: the user's own first, shipped ones last."""
    return _usable(user, *RUNNABLE_FAMILIES).order_by("model__is_starter", "-created_at")


def starting_points(user: User | AnonymousUser, resolution: int | None = None) -> QuerySet[ModelVersion]:
    """Newest versions to start an experiment from, of one resolution or of any: the shipped ones first."""
    discriminator = ModelFile.objects.filter(version=OuterRef("pk"), path=DISCRIMINATOR_FILE)
    found = runnable_models(user).filter(Exists(discriminator), model__family=STYLEGAN2)
    if resolution is not None:
        found = found.filter(resolution=resolution)
    return found.order_by("-model__is_starter", "resolution", "-created_at")


def find_runnable(user: User | AnonymousUser, address: str) -> ModelVersion | None:
    """Return the version that `owner/name` stands for, or None when the user may not run such a model."""
    named = _named(user, address, *RUNNABLE_FAMILIES)
    return latest_versions().filter(model__in=named.values("pk")).first()


def base_models(user: User | AnonymousUser) -> QuerySet[ModelVersion]:
    """Newest versions of the text-to-image bases that the user may use: the shipped one first."""
    return _usable(user, TEXT_TO_IMAGE).order_by("-model__is_starter", "model__title")


def find_base(user: User | AnonymousUser, address: str) -> ModelVersion | None:
    """Return the base that `owner/name` stands for, or None when the user may not use such a base."""
    return _newest(_named(user, address, TEXT_TO_IMAGE))


def words_of(base: ModelVersion) -> Words | None:
    """What the base knows, as its words.json lists it; None for bases that do not tell."""
    name = base.manifest.get("words")
    file = base.files.filter(path=name).first() if name else None
    return _read_words(file.sha256) if file else None


@lru_cache(maxsize=8)
def _read_words(sha256: str) -> Words:
    with default_storage.open(weight_key(sha256)) as file:
        return read_words(file.read())


def trained_models(user: User | AnonymousUser, base: ModelVersion | None = None) -> QuerySet[ModelVersion]:
    """Newest versions of the trained models (LoRAs) that the user may use, newest first.

    With `base` only those that were made on exactly these weights.
    """
    found = _usable(user, LORA).order_by("-created_at")
    if base is None:
        return found
    return found.filter(manifest__base__fingerprint=base.manifest["fingerprint"])


def find_trained(user: User | AnonymousUser, address: str) -> ModelVersion | None:
    """Return the trained model that `owner/name` stands for, or None when the user may not use such a one."""
    return _newest(_named(user, address, LORA))


def licence(slug: str) -> Licence:
    """Return a seeded licence. Raises Licence.DoesNotExist when `seed_catalog` has not run."""
    return Licence.objects.get(slug=slug)
