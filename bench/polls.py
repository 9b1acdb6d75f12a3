"""How many progress polls one web process answers on one core.

python -m bench.polls [--quick]

Many signed-in browsers poll live pages, most of which have not changed, at a fixed rate. The baseline, in
turns in the same run: the same pages, asked for the whole fragment every time.
"""

import argparse

from bench.work.cores import on_cores, split_cores
from bench.work.studio import scratch_studio


def main() -> None:
    """Run the comparison and print its table, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="end within 45 seconds, without the highest rate"
    )
    is_quick = parser.parse_args().quick
    web_cores, other_cores = split_cores()
    with on_cores(other_cores), scratch_studio():
        from bench.work.polls import progress_polls  # noqa: PLC0415 -- Django is set up only now

        blocks, block_seconds = (1, 5.0) if is_quick else (5, 8.0)
        figures = progress_polls(
            web_cores=web_cores, blocks=blocks, block_seconds=block_seconds, searches=not is_quick
        )
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
