"""How fast photographs are checked and kept, and that this does not slow down as a dataset grows.

python -m bench.ingest --images DIR [--quick]

First, 1,000 photographs of 12 megapixels, made from those in DIR, arrive and are checked, compared, encoded
anew and thumbnailed by the real job; in turns, bare Pillow does the same decodes, resizes and encodes. Then
batches arrive in a dataset of 10,000 pictures, in turns with an empty one. Memory is printed for both.
"""

import argparse
from pathlib import Path

from bench.work.studio import scratch_studio


def main() -> None:
    """Run both and print their tables, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="a folder with photographs")
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds, with fewer pictures")
    options = parser.parse_args()
    with scratch_studio():
        from bench.work.intake import growth, rate  # noqa: PLC0415 -- Django is set up only now

        quick = options.quick
        figures = [
            *rate(options.images, count=8 if quick else 1_000, block=2 if quick else 10),
            *growth(there=2_500 if quick else 10_000, rounds=2 if quick else 9, batch=25 if quick else 100),
        ]
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
