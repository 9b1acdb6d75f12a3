"""A studio of separate processes, with people in it."""

import json
import random
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from billing.models import Price
from billing.services import grant_credits, open_account, revise_price
from catalog.models import Licence, ModelVersion
from catalog.selectors import base_models
from catalog.services.seed import CARDS_FILE, STARTERS_DIR, seed_licences, seed_starter
from config import embedded
from engines.stylegan.config import PRESETS, Architecture
from jobs.redis_client import hints
from tests.catalog.bases import publish_tiny_base, publish_tiny_lora
from tests.chaos import audit
from tests.chaos.processes import Processes
from tests.chaos.workload import Person, Workload, make_person
from tests.training.conftest import fill, publish_tiny, state_rights
from training.services import create_dataset

TINY = Architecture(resolution=16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
PEOPLE = 4
# One of them soon has none left; an AI training holds 1,000.
CREDITS = [20_000, 20_000, 20_000, 30]


@pytest.fixture
def data_dir(settings, tmp_path: Path) -> Iterator[Path]:
    """The one machine's data directory, with a Redis of its own."""
    folder = tmp_path / "chaos"
    embedded.prepare_directories(folder)
    settings.DATA_DIR = folder
    settings.REDIS_URL = embedded.redis_url(folder)
    private = {**settings.STORAGES["default"], "OPTIONS": {"location": folder / "files"}}
    settings.STORAGES = {**settings.STORAGES, "default": private}
    hints.cache_clear()
    yield folder
    hints.cache_clear()


@pytest.fixture
def port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def licence(transactional_db) -> Licence:
    seed_licences()
    return Licence.objects.get(slug="cc0-1.0")


@pytest.fixture
def version(licence, make_user, data_dir) -> ModelVersion:
    """A public model with tiny networks, from which everybody generates and trains."""
    publisher = make_user("atelier@example.org")
    version = publish_tiny(publisher, licence, data_dir / "tiny", TINY)
    version.model.is_starter, version.model.visibility = True, "public"
    version.model.save()
    # Dear enough that every slice of a training costs something.
    revise_price(price=Price(code="experiment-64", label="Steps", credits=1, per=4))
    return version


@pytest.fixture
def slow_version(licence, make_user, data_dir) -> ModelVersion:
    """A public model of the usual size at 64 pixels: sixteen pictures take a second or two."""
    publisher = make_user("slow@example.org")
    architecture = PRESETS["cpu64"].architecture
    version = publish_tiny(publisher, licence, data_dir / "slow", architecture, name="slow")
    version.model.visibility = "public"
    version.model.save()
    return version


@pytest.fixture
def people(version, licence, make_user) -> list[Person]:
    found = []
    for number in range(PEOPLE):
        user = make_user(f"person-{number}@example.org")
        account = open_account(user=user)
        grant_credits(account=account, source="promo", source_ref=f"chaos:{number}", amount=CREDITS[number])
        dataset = create_dataset(owner=user, name="To train on", licence=licence)
        state_rights(dataset)
        fill(dataset, 50, first=1000 * number)
        portraits = create_dataset(owner=user, name="A cat", licence=licence, purpose="character")
        state_rights(portraits)
        fill(portraits, 6, first=1000 * number + 100)
        found.append(make_person(user, dataset, portraits))
    return found


@pytest.fixture
def adapters(licence, make_user, data_dir) -> list[ModelVersion]:
    """Two trained models on one tiny base, so that orders of both share batches."""
    publisher = make_user("bases@example.org")
    base = publish_tiny_base(publisher)
    return [
        publish_tiny_lora(publisher, base, data_dir / name, name=name, keyword=name, seed=seed)
        for seed, name in enumerate(("mimochi", "ketapo"))
    ]


@pytest.fixture
def base(adapters) -> ModelVersion:
    return base_models(adapters[0].model.owner)[0]


@pytest.fixture
def _upscaler(licence, data_dir) -> None:
    """What makes pictures larger."""
    seed_starter(STARTERS_DIR / "enlarge2x", json.loads(CARDS_FILE.read_text("utf-8"))["enlarge2x"])


@pytest.fixture
def workload(people, version, slow_version, base, adapters, _upscaler, port) -> Workload:
    return Workload(
        people=people,
        version=version,
        slow_version=slow_version,
        base=base,
        adapters=adapters,
        port=port,
        rng=random.Random(1),
    )


@pytest.fixture
def processes(data_dir, process_environment, port, people) -> Iterator[Processes]:
    """The running studio, under audit."""
    environment = {
        **process_environment,
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "CHAOS_DATA": str(data_dir),
        "OMP_NUM_THREADS": "1",
    }
    processes = Processes(data_dir, environment, port)
    with audit.audited():
        processes.start_all()
        yield processes
        processes.stop_all()
