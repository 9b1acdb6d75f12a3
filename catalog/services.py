"""What can be done with models: publish, add a version, rename, delete."""

import uuid
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Max, RestrictedError
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import User
from catalog import files
from catalog.exceptions import ModelInUseError, NameTakenError
from catalog.manifests import check_declared, folder_sha256, read_manifest
from catalog.models import CatalogModel, Derivation, Licence, ModelFile, ModelVersion, Source, Visibility
from catalog.registry import dependents_of

# What a version was made from: the node of the lineage and a `Derivation.Role`.
Parents = Iterable[tuple[Source, str]]


def publish_version(
    *,
    owner: User,
    folder: Path,
    name: str,
    title: str,
    licence: Licence,
    type: str = CatalogModel.Type.GENERATE,  # noqa: A002 - the column's name
    parents: Parents = (),
    saved_from: uuid.UUID | None = None,
    tagline: str = "",
    description: str = "",
    training_data: str = "",
    known_limits: str = "",
    attribution: str = "",
    visibility: str = Visibility.PRIVATE,
    is_starter: bool = False,
) -> ModelVersion:
    """Make a model with its first version out of a model folder.

    Stores the folder's files under their SHA-256 and inserts model, version, files and lineage in one
    transaction. A job's result is published once: with a `saved_from` that was published before, that
    version is returned. Raises NameTakenError when the owner has a model of this name, BrokenModelError
    when the folder is not complete.
    """
    saved = _saved_before(owner, saved_from)
    if saved is not None:
        return saved
    manifest = read_manifest(folder)
    try:
        with transaction.atomic():
            model = CatalogModel.objects.create(
                owner=owner,
                name=name,
                title=title,
                type=type,
                family=manifest.family,
                saved_from=saved_from,
                tagline=tagline,
                description=description,
                training_data=training_data,
                known_limits=known_limits,
                visibility=visibility,
                is_starter=is_starter,
            )
            return add_version(
                model=model, folder=folder, licence=licence, parents=parents, attribution=attribution
            )
    except IntegrityError:
        saved = _saved_before(owner, saved_from)
        if saved is not None:
            return saved
        check_name_free(owner=owner, name=name)
        raise


def _saved_before(owner: User, saved_from: uuid.UUID | None) -> ModelVersion | None:
    if saved_from is None:
        return None
    return ModelVersion.objects.filter(model__owner=owner, model__saved_from=saved_from).first()


def add_version(
    *,
    model: CatalogModel,
    folder: Path,
    licence: Licence,
    parents: Parents = (),
    attribution: str = "",
) -> ModelVersion:
    """Add the next version to a model; publishing the same files again returns the version that has them.

    One transaction, in which the model's row is locked. Raises BrokenModelError when the folder is not
    complete.
    """
    manifest = read_manifest(folder)
    with transaction.atomic():
        files.files_lock(shared=True)
        CatalogModel.objects.select_for_update().get(pk=model.pk)
        stored = files.store_folder(folder)
        hashes = {file.path: file.sha256 for file in stored}
        check_declared(manifest.files, hashes)
        sha256 = folder_sha256(hashes)
        same = model.versions.filter(sha256=sha256).first()
        if same is not None:
            return same
        number = (model.versions.aggregate(last=Max("number"))["last"] or 0) + 1
        version = ModelVersion.objects.create(
            model=model,
            number=number,
            sha256=sha256,
            manifest=manifest.content,
            resolution=manifest.resolution,
            parameters=manifest.parameters,
            size_bytes=sum(file.size_bytes for file in stored),
            licence=licence,
            source=_create_source(model.title, sha256, licence, attribution, parents),
        )
        ModelFile.objects.bulk_create(
            ModelFile(version=version, path=file.path, sha256=file.sha256, size_bytes=file.size_bytes)
            for file in stored
        )
    return version


def _create_source(label: str, sha256: str, licence: Licence, attribution: str, parents: Parents) -> Source:
    source = Source.objects.create(
        kind=Source.Kind.MODEL, label=label, sha256=sha256, licence=licence, attribution=attribution
    )
    Derivation.objects.bulk_create(
        Derivation(child=source, parent=parent, role=role) for parent, role in parents
    )
    return source


def suggest_names(*, owner: User, wanted: str, count: int = 3) -> list[str]:
    """Return `count` names near the wanted one that the owner has not used."""
    base = slugify(wanted)[:50].strip("-") or "model"
    taken = set(
        CatalogModel.objects.filter(owner=owner, name__startswith=base).values_list("name", flat=True)
    )
    found: list[str] = [] if base in taken or base == wanted else [base]
    number = 2
    while len(found) < count:
        candidate = f"{base}-{number}"
        if candidate not in taken:
            found.append(candidate)
        number += 1
    return found


def check_name_free(*, owner: User, name: str, other_than: CatalogModel | None = None) -> None:
    """Raise NameTakenError, with free names, when the owner has another model of this name."""
    taken = CatalogModel.objects.filter(owner=owner, name=name)
    if other_than is not None:
        taken = taken.exclude(pk=other_than.pk)
    if taken.exists():
        suggestions = suggest_names(owner=owner, wanted=name)
        message = _("You already have a model called “%(name)s”. Free names are for example: %(free)s.")
        raise NameTakenError(message % {"name": name, "free": ", ".join(suggestions)}, suggestions)


def rename_model(*, model: CatalogModel, name: str, title: str) -> CatalogModel:
    """Give a model another address and title. Raises NameTakenError when the owner uses the name already."""
    try:
        with transaction.atomic():
            model.name, model.title = name, title
            model.save(update_fields=["name", "title", "updated_at"])
    except IntegrityError:
        check_name_free(owner=model.owner, name=name, other_than=model)
        raise
    return model


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
            _("An experiment uses this model as its starting point. Delete the experiment first.")
        ) from error


def _delete_ends_of_lineage(sources: Iterable[Source]) -> None:
    for source in sources:
        if not source.made_into.exists():
            source.delete()


def _forget_folder(sha256: str) -> None:
    if not ModelVersion.objects.filter(sha256=sha256).exists():
        files.forget(sha256)
