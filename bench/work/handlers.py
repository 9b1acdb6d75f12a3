"""What the timed jobs do."""

import time
from pathlib import Path

from bench.work.plain import Model, load_model, nothing, use_model
from engines.progress import Control
from jobs import warm
from jobs.context import JobContext, Outcome


def noop(_context: JobContext) -> Outcome:
    """Do nothing, as a job."""
    nothing()
    return Outcome()


def model(context: JobContext) -> Outcome:
    """Do a little with the model that the label names, kept warm; say whether it had to be loaded."""
    path = Path(context.job.label)
    loads: list[Path] = []

    def load() -> Model:
        loads.append(path)
        return load_model(path)

    use_model(warm.get(str(path), load, path.stat().st_size))
    context.report(step=1, total=1, values={"loads": len(loads)})
    return Outcome()


def train(context: JobContext) -> Outcome:
    """Take small steps of a convolution's training on one thread until stopped.

    Every finished step is one line (its moment on the monotonic clock) in the file that the label names.
    """
    import torch  # noqa: PLC0415 -- the noop's worker does without

    torch.set_num_threads(1)
    layer = torch.nn.Conv2d(32, 32, 3, padding=1)
    pictures = torch.randn(8, 32, 32, 32)
    step = 0
    with Path(context.job.label).open("w", buffering=1) as log:
        while context.report(step=step, total=10**6, values={"loss": 1.0}) is not Control.STOP:
            layer(pictures).square().mean().backward()
            step += 1
            log.write(f"{time.monotonic()}\n")
    return Outcome(state="stopped")


def deaf(_context: JobContext) -> Outcome:
    """Work on, whatever is asked."""
    while True:
        time.sleep(60)
