"""What can be wrong with an installation, looked at one by one, each with how to mend it."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalog.files import models_cache
from catalog.manifests import check_declared, read_manifest
from catalog.services.seed import STARTERS_DIR
from config import embedded
from engines.files import sha256_file
from engines.manifest import MODEL_FILE
from jobs.machines import is_away
from jobs.models import Machine

_GIB = 1024**3
_DISK_NEEDED_GIB, _DISK_WANTED_GIB = 1, 10
_MEMORY_WANTED_GIB = 4
_OLDEST_POSTGRES = 14
# Asked of a process of its own: torch must not be loaded into anything that lives on.
_TORCH_REPORT = """
import json, torch
a = torch.ones(8, 8, dtype=torch.bfloat16)
print(json.dumps({
    "version": torch.__version__,
    "cuda": torch.cuda.is_available(),
    "threads": torch.get_num_threads(),
    "bf16": bool((a @ a)[0, 0] == 8),
}))
"""


class Level(Enum):
    """How a look at something ended."""

    GOOD = "ok"
    FAIR = "note"
    BAD = "fail"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found and, unless all is well, what to do."""

    title: str
    level: Level
    found: str
    mend: str = ""


class AilmentError(Exception):
    """Something is not as it should be. `serious`: the studio does not work this way."""

    def __init__(self, found: str, mend: str, *, serious: bool = True) -> None:
        super().__init__(found)
        self.mend = mend
        self.serious = serious


def examine(port: int) -> Iterator[Finding]:
    """Look at everything, in the order in which things build on each other."""
    looks: list[tuple[str, Callable[[], str]]] = [
        ("Python", _python),
        ("Packages", _packages),
        ("Memory", _memory),
        ("Disk", _disk),
        ("Data directory", _data_dir),
        ("Address", lambda: _port(settings.LISTEN_HOST, port)),
        ("Database", _database),
        ("Migrations", _migrations),
        ("Redis", _redis),
        ("Machines", _machines),
        ("Storage", _storage),
        ("Models on disk", _models_on_disk),
        ("Starting points", _starters),
        ("PyTorch", _torch),
        ("Mail", _mail),
        ("Chromium", _chromium),
    ]
    for title, look in looks:
        yield _look(title, look)


def _look(title: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(title, Level.GOOD, look())
    except AilmentError as ailment:
        return Finding(title, Level.BAD if ailment.serious else Level.FAIR, str(ailment), ailment.mend)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with one thing, the others are looked at
        found = f"{type(error).__name__}: {error}".strip()
        return Finding(title, Level.BAD, found, "The line above is what the system said.")


def _note(found: str, mend: str) -> NoReturn:
    raise AilmentError(found, mend, serious=False)


def _python() -> str:
    here = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] != (3, 11):
        raise AilmentError(here, "Atelier needs Python 3.11: make clean, then make install PYTHON=python3.11")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        _note(here, "The embedded servers are for Linux on x86-64; set DATABASE_URL and REDIS_URL elsewhere.")
    return here


def _packages() -> str:
    wanted = dict(
        re.findall(r"^([\w.-]+)==([\w.]+)", (settings.BASE_DIR / "constraints.txt").read_text(), re.MULTILINE)
    )
    other = []
    for name, version in wanted.items():
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one that only developers need
        if here.split("+")[0] != version:
            other.append(f"{name} {here} instead of {version}")
    if other:
        _note("; ".join(other), "Bring them in line: touch constraints.txt, then make install")
    return f"as in constraints.txt ({len(wanted)})"


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    if total < _MEMORY_WANTED_GIB:
        _note(f"{total:.1f} GiB", f"Trainings want {_MEMORY_WANTED_GIB} GiB; close other programs meanwhile.")
    return f"{total:.1f} GiB, {os.cpu_count()} cores"


def _disk() -> str:
    place = next(path for path in (settings.DATA_DIR, *settings.DATA_DIR.parents) if path.exists())
    free = shutil.disk_usage(place).free / _GIB
    found = f"{free:.1f} GiB free for {settings.DATA_DIR}"
    if free < _DISK_NEEDED_GIB:
        raise AilmentError(found, "Free some space, or set ATELIER_DATA to a directory on a larger disk.")
    if free < _DISK_WANTED_GIB:
        _note(found, f"{_DISK_WANTED_GIB} GiB are comfortable: snapshots and pictures add up.")
    return found


def _data_dir() -> str:
    try:
        embedded.prepare_directories(settings.DATA_DIR)
    except PermissionError as error:
        raise AilmentError(
            str(error), "Give the directory to this user, or set ATELIER_DATA to another."
        ) from error
    return str(settings.DATA_DIR)


def _port(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _note(f"{host}:{port} {error.strerror}", "That may be this studio. Otherwise: make run PORT=8001")
    return f"{host}:{port} is free"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0]) // 10_000
    if version < _OLDEST_POSTGRES:
        raise AilmentError(f"PostgreSQL {version}", f"Use PostgreSQL {_OLDEST_POSTGRES} or newer.")
    kind = "DATABASE_URL" if os.environ.get("DATABASE_URL") else "embedded"
    return f"PostgreSQL {version}, {kind}"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        _note(f"{len(missing)} to be applied", "make run does it; in production: manage.py migrate")
    return "all applied"


def _redis() -> str:
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=3) as client:
        version = client.info("server")["redis_version"]
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "unknown")
    if policy != "noeviction":
        _note(f"{version}, {policy}", "Set maxmemory-policy noeviction: another one may drop waiting work.")
    return f"{version}, {'REDIS_URL' if os.environ.get('REDIS_URL') else 'embedded'}"


def _machines() -> str:
    if "jobs_machine" not in connection.introspection.table_names():
        _note("not known yet", "make run does it; in production: manage.py migrate")
    here = [machine for machine in Machine.objects.all() if not is_away(machine)]
    if not here:
        _note("none is on", "Jobs wait: start workers with make run; in production: manage.py worker train")
    names = ", ".join(f"{machine.name}{' (draining)' if machine.is_draining else ''}" for machine in here)
    if len(here) > 1 and not settings.FILES_BUCKET:
        raise AilmentError(names, "Several machines need their files in a bucket: set FILES_BUCKET on each.")
    return names


def _storage() -> str:
    name = default_storage.save("doctor/probe", ContentFile(b"probe"))
    try:
        with default_storage.open(name) as file:
            if file.read() != b"probe":
                raise AilmentError("what was written is not what is read", "Look at the disk or the bucket.")
    finally:
        default_storage.delete(name)
    return f"bucket {settings.FILES_BUCKET}" if settings.FILES_BUCKET else "files can be written and read"


def _models_on_disk() -> str:
    cache = models_cache()
    used, limit = cache.used_bytes() / _GIB, settings.MODELS_BYTES / _GIB
    found = f"{len(cache.names())} laid out for workers here, {used:.1f} of {limit:.1f} GiB"
    if used > limit:
        _note(found, "Idle workers mend it within the hour. If it stays, jobs use more: raise MODELS_BYTES.")
    return found


def _starters() -> str:
    folders = [path.parent for path in sorted(STARTERS_DIR.glob(f"*/{MODEL_FILE}"))]
    if not folders:
        raise AilmentError("none is there", "The checkout is incomplete: get it again, with its large files.")
    for folder in folders:
        manifest = read_manifest(folder)
        found = {path.name: sha256_file(path) for path in folder.iterdir() if path.name in manifest.files}
        check_declared(manifest.files, found)
    return f"{', '.join(folder.name for folder in folders)}: hashes agree"


def _torch() -> str:
    done = subprocess.run([sys.executable, "-c", _TORCH_REPORT], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it cannot be imported"])[-1]
        raise AilmentError(reason, "make clean, then make install; README.md says which build to choose.")
    report = json.loads(done.stdout)
    device = "a GPU is there" if report["cuda"] else f"processor, {report['threads']} threads"
    return f"{report['version']}, {device}, bf16 {'works' if report['bf16'] else 'does not work'}"


def _mail() -> str:
    backend = settings.EMAIL_BACKEND.rsplit(".", 2)[-2]
    if settings.IN_PRODUCTION and not os.environ.get("EMAIL_HOST"):
        raise AilmentError("no mail server", "Set EMAIL_HOST: people have to confirm their addresses.")
    return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if backend == "smtp" else "shown in the terminal"


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    _note("not installed", "Only the browser tests need it: apt-get install chromium")
