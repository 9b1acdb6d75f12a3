import io
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from accounts.models import User
from catalog.models import Licence, ModelVersion
from catalog.services import publish_version
from catalog.services.seed import seed_licences
from engines.checkpoint import write_model
from engines.manifest import DISCRIMINATOR_FILE, GENERATOR_FILE, STYLEGAN2, ModelInfo
from engines.stylegan.config import Architecture
from engines.stylegan.networks import Discriminator, Generator
from jobs.testing import run_pending
from tests.catalog.bases import publish_tiny_base
from tests.catalog.folders import make_base_folder
from tests.training import crafted
from tests.wallets import set_credits
from training import files, services
from training.ingest import make_thumbnail, pixel_sha256
from training.models import AITraining, Dataset, DatasetImage, Experiment, People, Purpose

TINY = Architecture(resolution=16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)


@pytest.fixture(autouse=True)
def _own_machine(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of the test's own, and one thread: the networks are too small for two."""
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr("jobs.execute.threads_for", lambda queue: 1)


@pytest.fixture
def licence(db: None) -> Licence:
    seed_licences()
    return Licence.objects.get(slug="own-work")


@pytest.fixture
def make_dataset(licence: Licence) -> Callable[..., Dataset]:
    """Return a function that makes a dataset with checked pictures of 64 x 64 pixels."""

    def make(owner: User, count: int = 0, name: str = "Shells") -> Dataset:
        dataset = services.create_dataset(owner=owner, name=name, licence=licence)
        state_rights(dataset)
        fill(dataset, count)
        return dataset

    return make


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset], owner: User) -> Dataset:
    """The owner's dataset of 50 pictures: just enough to train on."""
    return make_dataset(owner, 50)


@pytest.fixture
def empty_dataset(make_dataset: Callable[..., Dataset], owner: User) -> Dataset:
    return make_dataset(owner, name="Empty")


@pytest.fixture
def starting_point(licence: Licence, owner: User, tmp_path: Path) -> ModelVersion:
    """A model of the owner's with tiny random networks at 16 pixels."""
    return publish_tiny(owner, licence, tmp_path / "tiny", TINY)


@pytest.fixture
def starting_point_64(licence: Licence, owner: User, tmp_path: Path) -> ModelVersion:
    """The same at 64 pixels, the size that the form offers."""
    architecture = Architecture(
        resolution=64, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=2
    )
    return publish_tiny(owner, licence, tmp_path / "tiny64", architecture, name="tiny-64")


@pytest.fixture
def experiment(dataset: Dataset, starting_point: ModelVersion, owner: User) -> Experiment:
    """A training of 8 quick steps that waits for a worker."""
    return services.start_experiment(
        owner=owner,
        dataset=dataset,
        starting_point=starting_point,
        steps=8,
        settings={"batch": 4, "snapshot_every": 4},
    )


@pytest.fixture
def trained(experiment: Experiment) -> Experiment:
    """The same training, done."""
    run_pending("train")
    experiment.refresh_from_db()
    return experiment


def publish_tiny(
    owner: User, licence: Licence, folder: Path, architecture: Architecture, name: str = "tiny"
) -> ModelVersion:
    folder.mkdir()
    info = ModelInfo(family=STYLEGAN2, architecture=architecture.as_dict(), name=name)
    networks = {
        GENERATOR_FILE: Generator(architecture).state_dict(),
        DISCRIMINATOR_FILE: Discriminator(architecture).state_dict(),
    }
    write_model(folder, info, networks)
    return publish_version(owner=owner, folder=folder, name=name, title=name.title(), licence=licence)


def state_rights(dataset: Dataset) -> None:
    """Say of pictures that tests make what has to be said before a training."""
    services.state_rights(
        dataset=dataset, source_note="Made for a test.", licence=dataset.licence, people=People.NONE
    )


def fill(dataset: Dataset, count: int, first: int = 0) -> list[DatasetImage]:
    """Put pictures into a dataset as the light job would, without its checks."""
    images = [
        _stored(dataset, crafted.picture(seed, width=64, height=64)) for seed in range(first, first + count)
    ]
    DatasetImage.objects.bulk_create(images)
    dataset.picture_count += count
    dataset.size_bytes += sum(image.size_bytes for image in images)
    dataset.save()
    return images


def add_picture(dataset: Dataset, seed: int, *, width: int, height: int) -> DatasetImage:
    """Put one picture of a given size into a dataset."""
    image = _stored(dataset, crafted.picture(seed, width=width, height=height))
    image.save()
    dataset.picture_count += 1
    dataset.size_bytes += image.size_bytes
    dataset.save()
    return image


def _stored(dataset: Dataset, picture: Image.Image) -> DatasetImage:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    image_id = uuid.uuid4()
    content, thumbnail = buffer.getvalue(), make_thumbnail(picture)
    file, small = files.store_picture(
        dataset.pk, image_id, content=content, extension="png", thumbnail=thumbnail
    )
    return DatasetImage(
        id=image_id,
        dataset=dataset,
        name=f"{image_id.hex[:6]}.png",
        upload_sha256=image_id.hex * 2,
        sha256=pixel_sha256(picture),
        file=file,
        thumbnail=small,
        width=picture.width,
        height=picture.height,
        size_bytes=len(content) + len(thumbnail),
    )


@pytest.fixture
def ai_dataset(make_dataset: Callable[..., Dataset], owner: User) -> Dataset:
    """The owner's dataset of six pictures of an object, one of them with a caption."""
    dataset = make_dataset(owner, 6, name="Mug")
    dataset.purpose, dataset.subject = Purpose.OBJECT, "mug"
    dataset.save()
    dataset.images.filter(pk=dataset.images.first().pk).update(caption="a mug on a table")
    return dataset


@pytest.fixture
def base(licence: Licence, make_user: Callable[..., User]) -> ModelVersion:
    """A tiny base of text to image that everybody may use."""
    return publish_tiny_base(make_user("publisher@example.org"))


@pytest.fixture
def weightless_base(licence: Licence, make_user: Callable[..., User], tmp_path: Path) -> ModelVersion:
    """A base as the catalog knows it, made without torch, which nothing can load."""
    return publish_version(
        owner=make_user("publisher@example.org"),
        folder=make_base_folder(tmp_path / "base"),
        name="base",
        title="Starter",
        licence=Licence.objects.get(slug="cc0-1.0"),
        visibility="public",
    )


@pytest.fixture
def start_ai(ai_dataset: Dataset, base: ModelVersion, owner: User) -> Callable[..., AITraining]:
    """Return a function that starts an AI training of 8 quick steps, with a snapshot every 4."""

    def start(keyword: str = "customrexmodel", **values: object) -> AITraining:
        settings = {
            "snapshot_every": 4, "batch": 2, "rank": 2, "views": 1, "surroundings": 1, "prior_pictures": 0,
            "sample_steps": 1,
            **values.pop("settings", {}),
        }  # fmt: skip
        chosen = {"dataset": ai_dataset, "name": "Rex", "subject": "mug", "steps": 8, **values}
        set_credits(owner, chosen.pop("credits", 1000))
        prompts = chosen.pop("sample_prompts", ["{keyword} mug", "a mug"])
        return services.start_ai_training(
            owner=owner, base=base, keyword=keyword, settings=settings,
            sample_prompts=[prompt.replace("{keyword}", keyword) for prompt in prompts], **chosen,
        )  # fmt: skip

    return start
