import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from accounts.models import User
from catalog import files
from catalog.models import Licence, ModelVersion, Visibility
from catalog.services import publish_version
from catalog.services.seed import CARDS_FILE, STARTERS_DIR, seed_licences, seed_starter
from engines.checkpoint import write_model
from engines.manifest import ModelInfo
from engines.stylegan.config import Architecture
from engines.stylegan.networks import Generator
from engines.stylegan.snapshots import sample_grid
from generation.models import Generation, Picture
from generation.orders import TextOrder
from generation.services import start_generation
from generation.text_services import start_text_generation
from jobs import warm
from jobs.testing import run_pending
from tests.catalog.bases import publish_tiny_base, publish_tiny_lora
from tests.wallets import give_credits

TINY = Architecture(resolution=16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model of random weights, 16 x 16 pixels."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        generator = Generator(TINY).requires_grad_(requires_grad=False)
    info = ModelInfo(family="stylegan2", architecture=TINY.as_dict(), name="tiny", licence="cc0-1.0")
    write_model(folder, info, {"g_ema.safetensors": generator.state_dict()})
    sample_grid(generator).save(folder / "grid.png")
    return folder


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test lays models out in a folder of its own, and none is warm."""
    monkeypatch.setattr(files, "cache_dir", lambda: tmp_path / "cache")
    warm.clear()


@pytest.fixture
def publish(db: None, model_folder: Path) -> Callable[..., ModelVersion]:
    """Return a function that publishes the tiny model for somebody: `publish(owner, "faces", ...)`."""
    seed_licences()

    def make(owner: User, name: str = "faces", **values: object) -> ModelVersion:
        values.setdefault("title", name.capitalize())
        values.setdefault("licence", Licence.objects.get(slug="cc-by-4.0"))
        values.setdefault("attribution", "Tiny by Ann")
        return publish_version(owner=owner, folder=model_folder, name=name, **values)

    return make


@pytest.fixture
def version(publish: Callable[..., ModelVersion], owner: User) -> ModelVersion:
    """The owner's private model."""
    return publish(owner)


@pytest.fixture
def public_version(publish: Callable[..., ModelVersion], stranger: User) -> ModelVersion:
    """A model that the stranger shows to everybody."""
    return publish(stranger, "shown", visibility=Visibility.PUBLIC)


@pytest.fixture
def order(owner: User, version: ModelVersion) -> Callable[..., Generation]:
    """Return a function that orders pictures, which then wait: `order(seeds=range(3))`. They can be paid."""
    give_credits(owner, 1000)

    def make(*, seeds: object = range(3), truncation_psi: float = 0.7, by: User = owner) -> Generation:
        return start_generation(owner=by, version=version, seeds=list(seeds), truncation_psi=truncation_psi)

    return make


@pytest.fixture
def made(order: Callable[..., Generation]) -> Callable[..., list[Picture]]:
    """Return a function that orders pictures and makes them: `made(seeds=[4])`."""

    def make(**values: object) -> list[Picture]:
        generation = order(**values)
        run_pending("generate")
        return list(generation.pictures.order_by("index"))

    return make


@pytest.fixture
def picture(made: Callable[..., list[Picture]]) -> Picture:
    """One picture of the owner's."""
    return made(seeds=[5])[0]


@pytest.fixture
def base(db: None, stranger: User) -> ModelVersion:
    """A tiny base with random weights, 16 or so pixels of latents, that everybody may use."""
    seed_licences()
    return publish_tiny_base(stranger, attribution="Tiny base by Bo")


@pytest.fixture
def adapter(owner: User, base: ModelVersion, tmp_path: Path) -> ModelVersion:
    """The owner's trained model on that base; its keyword is mimochi."""
    return publish_tiny_lora(owner, base, tmp_path / "lora", attribution="Mimochi by Ann")


@pytest.fixture
def upscaler(db: None) -> ModelVersion:
    """The network that the studio ships to double pictures."""
    seed_licences()
    card = json.loads(CARDS_FILE.read_text("utf-8"))["enlarge2x"]
    seed_starter(STARTERS_DIR / "enlarge2x", card)
    return ModelVersion.objects.get(model__name=card["name"])


@pytest.fixture
def text_order(owner: User, base: ModelVersion) -> Callable[..., Generation]:
    """Return a function that orders pictures from text, small and of few steps; `by` can pay for them."""
    give_credits(owner, 1000)

    def make(*, by: User = owner, seeds: object = (1, 2), **values: object) -> Generation:
        defaults = {"base": base, "prompt": "a red cat", "width": 32, "height": 32, "steps": 3}
        return start_text_generation(owner=by, order=TextOrder(**defaults | values, seeds=list(seeds)))

    return make
