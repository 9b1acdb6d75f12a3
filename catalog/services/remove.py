"""Deleting models."""

from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.db.models import RestrictedError
from django.utils.translation import gettext as _

from catalog import files
from catalog.exceptions import ModelInUseError
from catalog.models import CatalogModel, ModelFile, ModelVersion, Source
from catalog.registry import dependents_of


def delete_model(*, model: CatalogModel) -> None:
    """Delete a model, its versions and the stored files that no other version has.

    Lineage that others stand on stays, without the page. One transaction; files go after it is committed.
    Raises ModelInUseError, and changes nothing, while something that is being made needs the model.
    """
    blocking = [sentence for dependents, sentence in dependents_of(model) if dependents.blocks]
    if blocking:
        raise ModelInUseError(" ".join(blocking))
    versions = list(model.versions.select_related("source"))
    hashes = set(ModelFile.objects.filter(version__in=versions).values_list("sha256", flat=True))
    try:
        with transaction.atomic():
            model.delete()
            _delete_ends_of_lineage([version.source for version in versions])
            transaction.on_commit(partial(files.remove_unused, hashes))
            for version in versions:
                transaction.on_commit(partial(_forget_folder, version.sha256))
    except RestrictedError as error:
        raise ModelInUseError(
            _("A training uses this model as its starting point or base. Delete the training first.")
        ) from error


def _delete_ends_of_lineage(sources: Iterable[Source]) -> None:
    for source in sources:
        if not source.made_into.exists():
            source.delete()


def _forget_folder(sha256: str) -> None:
    if not ModelVersion.objects.filter(sha256=sha256).exists():
        files.forget(sha256)
