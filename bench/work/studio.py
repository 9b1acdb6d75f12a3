"""A studio for one benchmark: real servers in a directory of their own, gone afterwards."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.management import call_command

from config import embedded


@contextlib.contextmanager
def scratch_studio() -> Iterator[Path]:
    """Start PostgreSQL and Redis, set Django up on them and make the tables. Yields the data directory."""
    data_dir = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    os.environ |= {
        "ATELIER_DATA": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "bench.work.settings",
        "OMP_NUM_THREADS": "1",
    }
    try:
        with embedded.ensure_postgres(data_dir), embedded.ensure_redis(data_dir):
            django.setup()
            call_command("migrate", verbosity=0)
            yield data_dir
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
