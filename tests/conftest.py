"""What every test stands on: real servers of its own, no network, no leftovers."""

import contextlib
import itertools
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from django.apps import apps
from django.conf import LazySettings, settings
from django.core.files.storage import storages
from django.db import connection
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker
from xdist import is_xdist_controller
from xdist.scheduler import LoadFileScheduling

from accounts.models import User
from billing.models import Plan
from config import embedded, environment

_servers = contextlib.ExitStack()


class ByFile(LoadFileScheduling):
    """Gives a process whole files, so that it makes their fixtures once, and one of them all browser tests.

    Two studios with two browsers beside each other would wait for each other. A file's tests that empty
    tables are parted from the others: pytest-django puts them behind those that read what migrations wrote.
    """

    def schedule(self) -> None:
        """Number the runs of tests that lie side by side in one place, then share them out."""
        collected = next(iter(self.registered_collections.values()))
        runs = enumerate(itertools.groupby(collected, key=_place))
        self._runs = {nodeid: f"{place} {number}" for number, (place, run) in runs for nodeid in run}
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._runs[nodeid]


def _place(nodeid: str) -> str:
    return "tests/browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Share the tests out among the processes of `--numprocesses`."""
    return ByFile(config, log)


def pytest_configure() -> None:
    """Have the processes of a shared run share the cores, too; PyTorch is not imported yet."""
    if processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(processes))))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start this process's PostgreSQL and Redis, unless the environment names others."""
    if is_xdist_controller(session):
        del os.environ["ATELIER_TEST_DATA"]  # whom it shares the tests out to make their own
        return
    if not os.environ.get("DATABASE_URL"):
        _servers.enter_context(embedded.ensure_postgres(settings.DATA_DIR, throwaway=True))
    if not os.environ.get("REDIS_URL"):
        _servers.enter_context(embedded.ensure_redis(settings.DATA_DIR))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop them and remove the run's directory. After a kill, the servers' keepers do the stopping."""
    _servers.close()
    if settings.configured and settings.DATA_DIR.name.startswith("atelier-test-"):
        shutil.rmtree(embedded.runtime_dir(settings.DATA_DIR), ignore_errors=True)
        shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Allow this run's database, and no other, to be emptied between tests: the ledger refuses it."""
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            cursor.execute(f"ALTER DATABASE {name} SET atelier.allow_truncate = 'on'")
        connection.close()


def _uses_database(request: pytest.FixtureRequest) -> bool:
    is_marked = request.node.get_closest_marker("django_db") is not None
    return is_marked or bool({"db", "transactional_db"} & set(request.fixturenames))


@pytest.fixture(autouse=True)
def _rows_of_migrations(request: pytest.FixtureRequest) -> None:
    """Put back the rows that migrations have written where a transactional test has emptied the tables."""
    if not _uses_database(request):
        return
    request.getfixturevalue("_django_db_helper")
    if not Plan.objects.exists():
        import_module("accounts.migrations.0005_legal_pages").add_pages(apps, None)
        import_module("billing.migrations.0003_price_list").add_rows(apps, None)
        import_module("catalog.migrations.0006_runs").add_prices(apps, None)
        import_module("generation.migrations.0006_points").add_prices(apps, None)
        import_module("generation.migrations.0007_price_of_walks").add_prices(apps, None)


@pytest.fixture(autouse=True)
def _clean_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty this run's Redis after a test that may have written to it."""
    yield
    if _uses_database(request):
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushall()


@pytest.fixture(autouse=True)
def files(settings: LazySettings, tmp_path: Path) -> Path:
    """Give each test its own empty storage, and return its directory."""
    folder = tmp_path / "files"
    private = {**settings.STORAGES["default"], "OPTIONS": {"location": folder}}
    settings.STORAGES = {**settings.STORAGES, "default": private}
    return folder


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[str]:
    """Start an S3 server on the loopback and return its address."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it writes a line for every request
    server = import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(bucket_server: str, settings: LazySettings, files: Path) -> dict[str, str]:
    """Store files in a bucket of the test's own. Return the environment in which a process does so too."""
    variables = {
        "FILES_BUCKET": f"atelier-{uuid.uuid4()}",
        "FILES_ENDPOINT": bucket_server,
        "FILES_REGION": "us-east-1",
        "FILES_ACCESS_KEY": "test",
        "FILES_SECRET_KEY": "test",
    }
    options = environment.bucket_options(
        variables["FILES_BUCKET"],
        endpoint=bucket_server,
        region="us-east-1",
        access_key="test",
        secret_key="test",
    )
    stored = {"BACKEND": "config.bucket_storage.BucketStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": stored}
    settings.FILES_BUCKET, settings.FILES_DIRECT = variables["FILES_BUCKET"], True
    storages["default"].connection.create_bucket(Bucket=variables["FILES_BUCKET"])
    return variables


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Return a function that makes users; their password is "correct horse"."""

    def make(email: str = "owner@example.org", **fields: object) -> User:
        return User.objects.create_user(email, "correct horse", **fields)

    return make


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    """The user whose things a test looks at."""
    return make_user("owner@example.org")


@pytest.fixture
def stranger(make_user: Callable[..., User]) -> User:
    """Somebody else, who must find nothing of the owner's."""
    return make_user("stranger@example.org")


@pytest.fixture
def staff(make_user: Callable[..., User]) -> User:
    """Somebody who may open Django admin."""
    return make_user("staff@example.org", is_staff=True, is_superuser=True)


@pytest.fixture
def owner_client(owner: User) -> Client:
    """A browser in which the owner is signed in."""
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def stranger_client(stranger: User) -> Client:
    """A browser in which the stranger is signed in."""
    client = Client()
    client.force_login(stranger)
    return client


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """Return the environment in which a real process (`manage.py worker ...`) sees the test's database.

    The test has to commit what the process shall see: it uses `transactional_db`.
    """
    database = settings.DATABASES["default"]
    name, host, user = (quote(str(database[key]), safe="") for key in ("NAME", "HOST", "USER"))
    password = f":{quote(database['PASSWORD'], safe='')}" if database["PASSWORD"] else ""
    port = f":{database['PORT']}" if database["PORT"] else ""
    return {
        **os.environ,
        "DATABASE_URL": f"postgresql://{user}{password}@{host}{port}/{name}",
        "REDIS_URL": settings.REDIS_URL,
    }
