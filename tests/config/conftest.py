import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory for servers of the test's own.

    Not below `tmp_path`: every run of pytest closes that tree to other users, and as root PostgreSQL is one.
    """
    folder = Path(tempfile.mkdtemp(prefix="atelier-test-"))
    yield folder
    shutil.rmtree(embedded.runtime_dir(folder), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
