"""How well the studio foretells what a training takes: ten real ones, from the services through a worker.

python -m bench.estimates [--quick]

The worker probes its machine while it is idle, as it does in every studio. Then each training is estimated,
started and waited for; what it took is the time from its claim to its end. While it runs, what its page would
say of the time that is left is noted every second.
"""

import argparse

from bench.work.studio import scratch_studio


def main() -> None:
    """Run the trainings and print their table, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds, with two short ones")
    options = parser.parse_args()
    with scratch_studio():
        from bench.work import trainings  # noqa: PLC0415 -- Django is set up only now

        figures = trainings.measure(is_quick=options.quick)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
