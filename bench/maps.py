"""Maps: from a look at a place that nobody has seen to its pictures, and what is made already.

python -m bench.maps [--quick]

A page asks as static/js/map.js does, with all middleware; between it and its pictures lie the look, the
queue, a resident worker with the starter of flowers (64 pixels), the WebP files and their rows. Beside it
stands what is promised: a first picture within a second, and 5 ms of the server for one that is made. The
last line compares a request for a screen of tiles with one request for each of them, where all are made.
That batches are faster than one by one is measured by bench.explore.
"""

import argparse

from bench.work.studio import scratch_studio


def main() -> None:
    """Measure and print, the figures last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    options = parser.parse_args()
    with scratch_studio():
        from bench.work.maps import measure  # noqa: PLC0415 -- Django is set up only now

        figures = measure(rounds=8 if options.quick else 40)
    print("\n".join(["", *figures]))


if __name__ == "__main__":
    main()
