"""What of somebody's models, runs and workspaces is taken along. See `accounts.belongings`."""

from collections.abc import Iterator

from django.db.models import F
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.belongings import Entry, Part, json_lines, stored_file, tell_counts
from accounts.models import User
from catalog.bundles import bundle_of
from catalog.models import (
    CatalogModel,
    Chain,
    ModelRun,
    ModelVersion,
    RunItem,
    RunResult,
    RunStep,
    WorkspaceModel,
)

_AT_ONCE = 500


def _describe(user: User) -> list[str]:
    return tell_counts(
        [
            (
                CatalogModel.objects.filter(owner=user),
                ngettext_lazy("%(count)s model", "%(count)s models", "count"),
            ),
            (ModelRun.objects.filter(owner=user), ngettext_lazy("%(count)s run", "%(count)s runs", "count")),
        ]
    )


def _files(user: User) -> Iterator[Entry]:
    yield from _models(user)
    yield from _runs(user)
    yield from _workspaces(user)


def _models(user: User) -> Iterator[Entry]:
    mine = CatalogModel.objects.filter(owner=user).order_by("created_at")
    yield "models.jsonl", json_lines(
        mine, "id", "name", "title", "tagline", "description", "type", "family", "visibility", "keywords",
        "training_data", "known_limits", "created_at", "updated_at", "withdrawn_at",
    )  # fmt: skip
    versions = ModelVersion.objects.filter(model__in=mine).select_related("model__owner", "licence", "source")
    for version in versions.order_by("model__created_at", "number"):
        for name, content in bundle_of(version).entries():
            yield f"models/{version.model.name}/v{version.number}/{name}", content


def _runs(user: User) -> Iterator[Entry]:
    runs = ModelRun.objects.filter(owner=user).order_by("created_at")
    items = RunItem.objects.filter(run__owner=user).order_by("run__created_at", "position")
    results = RunResult.objects.filter(item__run__owner=user).order_by("created_at", "id")
    yield "runs.jsonl", json_lines(runs, "id", "title", "count", "created_at")
    yield "run_steps.jsonl", json_lines(
        RunStep.objects.filter(run__owner=user).order_by("run__created_at", "position"),
        "position", "model_title", "version_sha256", "settings", "run_id",
    )  # fmt: skip
    yield "run_items.jsonl", json_lines(items, "position", "name", "error", "run_id")
    yield "run_results.jsonl", json_lines(
        results, "id", "output", "kind", "value", "created_at", run_id=F("item__run"),
        item_position=F("item__position"), step_position=F("step__position"),
    )  # fmt: skip
    for item in items.exclude(file="").iterator(chunk_size=_AT_ONCE):
        ending = item.file.rpartition(".")[2]
        yield from stored_file(f"runs/{item.run_id}/input-{item.position}.{ending}", item.file)
    for result in results.exclude(file="").select_related("item").iterator(chunk_size=_AT_ONCE):
        yield from stored_file(f"runs/{result.item.run_id}/{result.pk}.png", result.file)


def _workspaces(user: User) -> Iterator[Entry]:
    yield (
        "workspaces.jsonl",
        json_lines(user.workspaces.order_by("created_at"), "id", "name", "description", "created_at"),
    )
    yield "workspace_models.jsonl", json_lines(
        WorkspaceModel.objects.filter(workspace__owner=user).order_by("workspace", "position"),
        "position", "workspace_id", model_title=F("model__title"),
    )  # fmt: skip
    chains = Chain.objects.filter(workspace__owner=user).order_by("created_at")
    yield "chains.jsonl", json_lines(chains, "id", "name", "created_at", "workspace_id")
    for chain in chains:
        yield (
            f"chains/{chain.pk}.jsonl",
            json_lines(chain.steps.order_by("position"), "position", "model_title", "settings"),
        )


CATALOG = Part(name="models", title=_("Models, runs and workspaces"), describe=_describe, files=_files)
