"""Who waits how long: a day of synthetic load through the real queue, beside plain first come, first served.

python -m bench.fairness [--quick]

The clock is simulated, the queue is not: every job is submitted, claimed and ended by the services and the
SQL that the studio runs, on a PostgreSQL of its own. The baseline gets the same jobs at the same moments and
takes them in the order of their arrival. A wait is the time from a job's submission to its claim.
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
    """Run the days and print their tables, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    options = parser.parse_args()
    data_dir = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    os.environ |= {"ATELIER_DATA": str(data_dir), "DJANGO_SETTINGS_MODULE": "bench.work.settings"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(embedded.ensure_postgres(data_dir))
        stack.enter_context(embedded.ensure_redis(data_dir))
        django.setup()
        from bench.work import days  # noqa: PLC0415 -- Django is set up only now

        figures = days.measure(is_quick=options.quick)
    shutil.rmtree(data_dir)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
