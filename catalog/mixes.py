"""Which models can be mixed with which, what of their terms the mix inherits, and what pages ask of mixes."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from catalog.exceptions import MixRefusedError, TermsForbid
from catalog.generators import info_of
from catalog.models import CatalogModel, ModelMix, ModelVersion
from catalog.selectors import find_runnable, runnable_models
from catalog.services.licences import judge_derivation
from catalog.terms import EffectiveTerms, combine, effective_terms
from engines.errors import ModelError
from engines.manifest import DISCRIMINATOR_FILE, STYLEGAN2
from engines.stylegan.relatives import Kinship, MixConfig, check_mixable, kinship

# The pictures of a preview, and how many of them stand beside each other.
PREVIEW_SEEDS = tuple(range(9))
PREVIEW_COLUMNS = 3
PREVIEW_TRUNCATION = 0.8
_SHOWN = 60

KINSHIP_WORDS: dict[Kinship, str | Promise] = {
    Kinship.DESCENDANT: gettext_lazy(
        "One of them was trained on from the other, so their weights fit each other. The farther it has gone "
        "from there, the more a mix of them blurs."
    ),
    Kinship.SIBLINGS: gettext_lazy(
        "Both come from one starting point, so their weights fit each other. The farther they have gone from "
        "there, the more a mix of them blurs."
    ),
    Kinship.STRANGERS: gettext_lazy(
        "These two have no common starting point, as far as their records say. A mix of such models rarely "
        "shows anything: look at the preview before you train on it."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A model to mix with the one that was chosen first: `refusal` says why not, "" where nothing does."""

    version: ModelVersion
    refusal: str = ""
    is_relative: bool = False


def mixable_versions(user: User) -> QuerySet[ModelVersion]:
    """Newest versions of the models that the user may mix, as far as their kind goes: their own first."""
    return runnable_models(user).filter(model__family=STYLEGAN2).select_related("source")


def find_mixable(user: User, address: str) -> ModelVersion | None:
    """Return the version that `owner/name` stands for, None where the user may not use such a model."""
    version = find_runnable(user, address)
    return version if version is not None and version.model.family == STYLEGAN2 else None


def partners_of(
    first: ModelVersion | None, user: User, *, among: ModelVersion | None = None
) -> list[Partner]:
    """Return what the first one could be mixed with: relatives, then strangers, then what does not fit.

    Without a first one, every model. `among` is one that was named and may be unlisted. One query.
    """
    versions = list(mixable_versions(user)[:_SHOWN])
    if among is not None and among not in versions:
        versions.insert(0, among)
    if first is None:
        return [Partner(version=version) for version in versions]
    partners = [_partner(first, version) for version in versions if version != first]
    return sorted(partners, key=lambda one: (bool(one.refusal), not one.is_relative))


def _partner(first: ModelVersion, version: ModelVersion) -> Partner:
    ours, theirs = info_of(first.manifest), info_of(version.manifest)
    try:
        check_mixable(ours, theirs)
    except ModelError as error:
        return Partner(version=version, refusal=str(error))
    return Partner(version=version, is_relative=kinship(ours, theirs) is not Kinship.STRANGERS)


def judge_mix(*, first: ModelVersion, second: ModelVersion, actor: User) -> None:
    """Raise MixRefusedError, naming every size that differs, or TermsForbid, with a licence's sentence."""
    try:
        check_mixable(info_of(first.manifest), info_of(second.manifest))
    except ModelError as error:
        raise MixRefusedError(str(error)) from error
    for version in (first, second):
        judge_derivation(version=version, actor=actor)


def refusal_of(first: ModelVersion, second: ModelVersion, actor: User) -> str:
    """Return why somebody cannot mix two versions, "" where they can."""
    try:
        judge_mix(first=first, second=second, actor=actor)
    except (MixRefusedError, TermsForbid) as error:
        return str(error.message)
    return ""


def kinship_of(mix: ModelMix) -> Kinship:
    """How the two models of a mix are related."""
    return kinship(info_of(mix.first.manifest), info_of(mix.second.manifest))


def is_trainable(mix: ModelMix) -> bool:
    """Whether an experiment can start from the mix: both models have their discriminator."""
    return all(DISCRIMINATOR_FILE in info_of(version.manifest).files for version in (mix.first, mix.second))


def mixed_terms(mix: ModelMix, viewer: User) -> EffectiveTerms:
    """The terms that a model made of the two has from both, before it says any of its own. Six queries."""
    lines = [effective_terms(version, viewer=viewer) for version in (mix.first, mix.second)]
    # One further from the mix than from the parent: nothing in the line is the mix itself.
    return combine(replace(origin, depth=origin.depth + 1) for line in lines for origin in line.origins)


def config_of(mix: ModelMix) -> MixConfig:
    """How a mix weighs its two models."""
    return MixConfig(**mix.config)


def in_words(config: MixConfig) -> str:
    """Say how a mix weighs its two models."""
    if config.method == "average":
        share = round(100 * config.share)
        return _("Average: %(first)d %% of the first, %(second)d %% of the second") % {
            "first": 100 - share,
            "second": share,
        }
    return _("Blend: shapes of the first, looks of the second from %(side)d px on") % {"side": config.swap}


def swap_choices(resolution: int) -> list[int]:
    """The resolutions at which a blend of models of this one can change over."""
    return [1 << power for power in range(3, resolution.bit_length())]


def latest_mixes(user: User, limit: int = 8) -> list[ModelMix]:
    """Return the newest mixes of a user that have something to show. One query."""
    mixes = ModelMix.objects.owned_by(user).exclude(preview="")
    return list(mixes.select_related("first__model", "second__model", "model__owner")[:limit])


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `jobs/` that hold the preview of a mix."""
    return set(ModelMix.objects.filter(preview__in=keys).values_list("preview", flat=True))


def describe_mixes(model: CatalogModel) -> str:
    """Say what the deletion of a model ends of mixes that are only looked at; "" where there are none."""
    begun = ModelMix.objects.filter(model__isnull=True)
    count = begun.filter(first__model=model).count() + begun.filter(second__model=model).count()
    if not count:
        return ""
    sentence = ngettext(
        "%(count)d mix with it was looked at and not made. It goes.",
        "%(count)d mixes with it were looked at and not made. They go.",
        count,
    )
    return sentence % {"count": count}
