"""What jobs cost: their overhead beside plain RQ's, and what a watched page costs a training.

python -m bench.jobs [--quick] [--only SECTION ...]

Both sides of a comparison run in turns in the same run, on real PostgreSQL and Redis in a directory of their
own, with the processes that the studio starts.
"""

import argparse
import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import django

from config import embedded

# Modules of `bench.work`, each with `measure(owner, *, is_quick) -> list[str]`: the figures' last lines.
SECTIONS = ("overhead", "claims", "batches", "polling", "recovery")
# What a quick run measures by itself; the others need engines that take seconds to load.
_QUICK_SECTIONS = ("overhead", "claims", "recovery")


def main() -> None:
    """Run the comparisons and print their tables, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds, with fewer sections")
    parser.add_argument(
        "--only", action="append", choices=SECTIONS, help="this section (as often as you like)"
    )
    options = parser.parse_args()
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
        sections = options.only or (_QUICK_SECTIONS if options.quick else SECTIONS)
        figures = measure(sections, is_quick=options.quick)
    shutil.rmtree(data_dir)
    print()
    print("\n".join(figures))


def measure(sections: Sequence[str], *, is_quick: bool) -> list[str]:
    """Make the tables, run the sections one after the other and return their last lines."""
    from django.core.management import call_command  # noqa: PLC0415 -- Django is set up only now

    from accounts.models import User  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("bench@example.org")
    figures: list[str] = []
    for name in sections:
        figures += importlib.import_module(f"bench.work.{name}").measure(owner, is_quick=is_quick)
    return figures


if __name__ == "__main__":
    main()
