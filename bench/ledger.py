"""What the ledger costs when it is large: hold and capture, the balance and the billing page.

python -m bench.ledger [--quick] [--entries N]

Two PostgreSQL databases of one server, one with 10,000 entries and one with 10 million, filled by SQL in the
shape that the services write. Both are measured in turns, by the services and pages that the studio runs.
"""

import argparse
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import django

from config import embedded

SMALL = 10_000
LARGE = 10_000_000


def main() -> None:
    """Fill both, measure both, and print a table and one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    parser.add_argument("--entries", type=int, default=LARGE)
    options = parser.parse_args()
    entries, rounds = (100_000, 40) if options.quick else (options.entries, 300)
    data_dir = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    os.environ |= {"ATELIER_DATA": str(data_dir), "DJANGO_SETTINGS_MODULE": "bench.work.selling_settings"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(embedded.ensure_postgres(data_dir))
        stack.enter_context(embedded.ensure_redis(data_dir))
        django.setup()
        from bench.work import ledgers  # noqa: PLC0415 -- Django is set up only now

        figures = ledgers.measure(small=SMALL, large=entries, rounds=rounds)
    shutil.rmtree(data_dir)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
