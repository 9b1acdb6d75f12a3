"""What jobs cost: their overhead beside plain RQ's, and what a watched page costs a training.

python -m bench.jobs [--quick]

Both sides of a comparison run in turns in the same run, on real PostgreSQL and Redis in a directory of their
own, with the processes that the studio starts.
"""

import argparse
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import django

from config import embedded


def main() -> None:
    """Run every comparison and print its table, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    is_quick = parser.parse_args().quick
    data_dir = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    os.environ |= {
        "ATELIER_DATA": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "bench.work.settings",
        "OMP_NUM_THREADS": "1",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(embedded.ensure_postgres(data_dir))
        stack.enter_context(embedded.ensure_redis(data_dir))
        django.setup()
        figures = measure(is_quick=is_quick)
    shutil.rmtree(data_dir)
    print()
    print("\n".join(figures))


def measure(*, is_quick: bool) -> list[str]:
    """Fill the database, run the comparisons and return their last lines."""
    from django.core.management import call_command  # noqa: PLC0415 -- Django is set up only now

    from accounts.models import User  # noqa: PLC0415
    from bench.work.overhead import noop_overhead  # noqa: PLC0415
    from bench.work.polling import polled_training  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("bench@example.org")
    return [
        noop_overhead(owner, count=40 if is_quick else 300),
        polled_training(owner, blocks=4 if is_quick else 15),
    ]


if __name__ == "__main__":
    main()
