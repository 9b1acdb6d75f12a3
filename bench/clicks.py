"""From a click to its picture: what the studio adds to the time that the model itself takes.

python -m bench.clicks [--quick]

The click is a POST of the Text to Image form with all middleware, the picture is there when its row can be
read; between them lie the order, the queue, a resident worker with a base of the starter's size and random
weights, the PNG with its provenance, and the receipt. The baseline is the time inside
`engines.diffusion.generate.generate`, measured by the worker for the same picture.
"""

import argparse

from bench.work.studio import scratch_studio


def main() -> None:
    """Measure and print, the figures last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    options = parser.parse_args()
    with scratch_studio() as data_dir:
        from bench.work.clicks import measure  # noqa: PLC0415 -- Django is set up only now

        figures = measure(data_dir, rounds=10 if options.quick else 60)
    print("\n".join(["", *figures]))


if __name__ == "__main__":
    main()
