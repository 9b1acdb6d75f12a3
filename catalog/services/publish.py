"""Publishing: a model folder becomes an immutable version."""

import uuid
from collections.abc import Iterable
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.models import User
from catalog import files
from catalog.exceptions import BrokenModelError
from catalog.kinds import kinds_of
from catalog.manifests import Manifest, check_declared, folder_sha256, read_manifest
from catalog.models import CatalogModel, Derivation, Licence, ModelFile, ModelVersion, Source, Visibility
from catalog.services.licences import carry_grant, refresh_outputs_commercial
from catalog.services.names import check_name_free
from engines.onnx.manifest import ManifestError

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
    input_kinds, output_kinds = _kinds(manifest)
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
        CatalogModel.objects.filter(pk=model.pk).update(input_kinds=input_kinds, output_kinds=output_kinds)
        if number > 1:
            carry_grant(version=version)
        refresh_outputs_commercial([model])
    return version


def _kinds(manifest: Manifest) -> tuple[list[str], list[str]]:
    """The kinds of what it takes and gives. Raises BrokenModelError."""
    try:
        return kinds_of(manifest.content)
    except ManifestError as error:
        raise BrokenModelError(str(error)) from error


def _create_source(label: str, sha256: str, licence: Licence, attribution: str, parents: Parents) -> Source:
    source = Source.objects.create(
        kind=Source.Kind.MODEL, label=label, sha256=sha256, licence=licence, attribution=attribution
    )
    Derivation.objects.bulk_create(
        Derivation(child=source, parent=parent, role=role) for parent, role in parents
    )
    return source
