"""What the tabs of a model's page have in common: the bar of tabs, the panel at the side."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from catalog import lineage
from catalog.models import CatalogModel, ModelVersion
from catalog.runs import measured
from catalog.words import DEVICES, DEVICES_OF_OTHERS, FAMILY_TITLES, kind_titles

# The tabs in their order: the name that a view gives, the name of the address, the words.
_TABS: tuple[tuple[str, str, str | Promise], ...] = (
    ("overview", "catalog:model_detail", _("Overview")),
    ("run", "catalog:run_create", _("Run")),
    ("versions", "catalog:model_versions", _("Versions")),
    ("files", "catalog:model_files", _("Files")),
    ("licence", "catalog:model_licence", _("License")),
    ("attribution", "catalog:model_attribution", _("Attribution")),
    ("lineage", "catalog:model_lineage", _("Lineage")),
)


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A link of the tab bar."""

    name: str
    url: str
    title: str | Promise


def versions_of(model: CatalogModel) -> QuerySet[ModelVersion]:
    """Return the versions of a model, the newest first, with what their pages tell."""
    return model.versions.select_related("licence", "source").order_by("-number")


def page_context(
    request: HttpRequest, model: CatalogModel, *, tab: str, version: ModelVersion | None = None
) -> dict[str, Any]:
    """Return what `catalog/model_page.html` shows around a tab; `version` where it is not the newest one."""
    version = version or versions_of(model).first()
    return {
        "model": model,
        "version": version,
        "licence": version.licence_in_force if version else None,
        "is_owner": model.owner_id == request.user.pk,
        "tab": tab,
        "tab_title": next(title for name, _route, title in _TABS if name == tab),
        "notices": lineage.notices_of(version.source) if version else [],
        "input_kinds": kind_titles(model.input_kinds),
        "output_kinds": kind_titles(model.output_kinds),
        "family": FAMILY_TITLES.get(model.family, model.family),
        "devices": DEVICES.get(model.family, DEVICES_OF_OTHERS),
        "timings": measured(version) if version else [],
    }


def tabs_of(model: CatalogModel) -> list[Tab]:
    """Return the tab bar of a model."""
    address = [model.owner.handle, model.name]
    return [
        Tab(name=name, url=url, title=title)
        for name, route, title in _TABS
        if (url := _address(route, address))
    ]


def _address(route: str, arguments: list[str]) -> str:
    try:
        return reverse(route, args=arguments)
    except NoReverseMatch:
        return ""
