"""Bases of text to image: a diffusers folder on the server's disk becomes a model of the catalog."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accounts.models import User
from catalog.exceptions import BrokenModelError
from catalog.models import CatalogModel, Licence, ModelVersion, Visibility
from catalog.services.publish import Parents, add_version, publish_version
from engines.diffusion.folders import needed_files, read_base
from engines.diffusion.manifests import write_base_manifest
from engines.errors import ModelError


def publish_base(
    *,
    owner: User,
    folder: Path,
    name: str,
    title: str,
    licence: Licence,
    visibility: str = Visibility.PRIVATE,
    is_starter: bool = False,
    parents: Parents = (),
    tagline: str = "",
    description: str = "",
    training_data: str = "",
    known_limits: str = "",
    attribution: str = "",
) -> ModelVersion:
    """Copy what is needed of a base's folder into storage and make a model of it; the folder stays as it is.

    Raises BrokenModelError that names every missing or mismatching file, NameTakenError when the owner has a
    model of this name.
    """
    with _model_folder(folder) as draft:
        return publish_version(
            owner=owner,
            folder=draft,
            name=name,
            title=title,
            licence=licence,
            parents=parents,
            tagline=tagline,
            description=description,
            training_data=training_data,
            known_limits=known_limits,
            attribution=attribution,
            visibility=visibility,
            is_starter=is_starter,
        )


def add_base_version(
    *, model: CatalogModel, folder: Path, licence: Licence, parents: Parents = (), attribution: str = ""
) -> ModelVersion:
    """Add the folder as the base's next version; the same files again return the version that has them."""
    with _model_folder(folder) as draft:
        return add_version(
            model=model, folder=draft, licence=licence, parents=parents, attribution=attribution
        )


@contextmanager
def _model_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder of links to the files that are needed, with a model.json of its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="atelier-base-") as made:
            draft = Path(made)
            for name in needed_files(read_base(folder)):
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).symlink_to((folder / name).resolve())
            write_base_manifest(draft)
            yield draft
    except ModelError as error:
        raise BrokenModelError(str(error)) from error
