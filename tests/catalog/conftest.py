from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.models import User
from catalog import files
from catalog.models import Licence, ModelVersion, Visibility
from catalog.services import publish_version
from catalog.services.seed import seed_licences
from jobs import holds
from tests.catalog.folders import make_folder


@pytest.fixture
def licences(db: None) -> None:
    seed_licences()


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test lays models out in a folder of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(files, "cache_dir", lambda: folder)
    yield folder
    holds.let_go()


@pytest.fixture
def publish(licences: None, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Return a function that publishes a tiny model: `publish(owner, "faces", seed=1, ...)`."""

    def make(owner: User, name: str = "faces", *, seed: int = 0, **values: object) -> ModelVersion:
        folder = make_folder(tmp_path / f"{owner.handle}-{name}-{seed}", seed=seed)
        values.setdefault("title", name.capitalize())
        values.setdefault("licence", Licence.objects.get(slug="own-work"))
        return publish_version(owner=owner, folder=folder, name=name, **values)

    return make


@pytest.fixture
def version(publish: Callable[..., ModelVersion], owner: User) -> ModelVersion:
    """The owner's private model."""
    return publish(owner)


@pytest.fixture
def public_version(publish: Callable[..., ModelVersion], owner: User) -> ModelVersion:
    """A model that the owner shows to everybody."""
    return publish(owner, "cats", seed=7, visibility=Visibility.PUBLIC)
