"""One process of a training, as torchrun starts it; the first argument is a TrainConfig as JSON."""

import argparse
import json
import os
import signal
from pathlib import Path

from engines.progress import Control
from engines.stylegan.config import Architecture, TrainConfig
from engines.stylegan.distributed import joined
from engines.stylegan.train import train


class StoppingHost:
    def __init__(self, stop_at):
        self.stop_at = stop_at

    def progress(self, progress):
        return Control.STOP if progress.step == self.stop_at else Control.CONTINUE

    def snapshot(self, snapshot):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--stop-at", type=int, help="the first process's host asks for a stop at this step")
    parser.add_argument("--kill", type=int, metavar="RANK", help="this process ends itself at the start")
    options = parser.parse_args()
    values = json.loads(options.config)
    values |= {key: Path(values[key]) for key in ("dataset", "run_dir")}
    values["architecture"] = Architecture(**values["architecture"])
    with joined("cpu") as ranks:
        if ranks.rank == options.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        host = StoppingHost(options.stop_at if ranks.is_first else None)
        result = train(TrainConfig(**values), host, ranks)
        print(f"process {ranks.rank} of {ranks.count}: {result.outcome} at step {result.step}", flush=True)


main()
