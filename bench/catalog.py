"""How long the server takes for the directory of a large catalog.

python -m bench.catalog [--quick]

The directory with 10,000 models, unfiltered, for a word, for a word with three filters, in the order of use
and for a word that is not there, against the same addresses with 40 models. It counts what the processors
work, in the web process and in the database, and the queries.
"""

import argparse

from bench.work.studio import scratch_studio


def main() -> None:
    """Run the comparison and print its table, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds, with fewer rounds")
    is_quick = parser.parse_args().quick
    with scratch_studio():
        from bench.work.catalog_pages import catalog_pages  # noqa: PLC0415 -- Django is set up only now

        figures = catalog_pages(rounds=10 if is_quick else 50)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
