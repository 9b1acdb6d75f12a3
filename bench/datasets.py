"""How long the server takes for the page of a large dataset.

python -m bench.datasets [--quick]

The pages of a dataset with 25,000 pictures (all of them, filtered ones, near-copies, crops) against those of
one whose pictures fit on one page; in turns in one process, medians.
"""

import argparse

from bench.work.studio import scratch_studio


def main() -> None:
    """Run the comparison and print its table, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds, with fewer rounds")
    is_quick = parser.parse_args().quick
    with scratch_studio():
        from bench.work.dataset_pages import dataset_pages  # noqa: PLC0415 -- Django is set up only now

        figures = dataset_pages(rounds=5 if is_quick else 30)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
