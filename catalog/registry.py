"""What depends on a model in the apps above: each tells it in `AppConfig.ready`, unknown to the catalog."""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.models import CatalogModel

# Returns a sentence for the page that asks before a model is deleted; "" when nothing depends on it.
Describe = Callable[[CatalogModel], str]


@dataclass(frozen=True, kw_only=True)
class Dependents:
    """One kind of thing that needs a model; `blocks` when the model cannot go while there are any."""

    name: str
    describe: Describe
    blocks: bool = False


_registered: dict[str, Dependents] = {}


def register_dependents(dependents: Dependents) -> None:
    """Add a kind of thing; registering the same name again replaces it."""
    _registered[dependents.name] = dependents


def dependents_of(model: CatalogModel) -> list[tuple[Dependents, str]]:
    """Return what depends on the model, each with its sentence."""
    described = ((dependents, dependents.describe(model)) for dependents in _registered.values())
    return [(dependents, sentence) for dependents, sentence in described if sentence]
