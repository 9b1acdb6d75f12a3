"""Two processes on one training, started by torchrun: the same result as one, and they end together."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from engines.checkpoint import load_checkpoint
from engines.progress import SilentHost
from engines.stylegan.distributed import Ranks
from engines.stylegan.train import CHECKPOINTS, train

SCRIPT = Path(__file__).parent / "one_of_several.py"
ROOT = SCRIPT.parents[3]


def torchrun(config, *arguments):
    """Train in two processes on the processor; returns the finished torchrun."""
    values = json.dumps(asdict(config), default=os.fspath)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(SCRIPT), values]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_two_processes_train_what_one_trains(config, tmp_path):
    """Everything switched on, four updates of each network and its regularisation with Adam."""
    settings = {"batch": 8, "steps": 9, "style_mixing": 0.9, "cooldown": 0.0}  # one plans fewer steps
    one, two = (config(**settings, run_dir=tmp_path / name) for name in ("one", "two"))
    train(config(**settings | {"steps": 4}, run_dir=one.run_dir), SilentHost())
    done = torchrun(two, "--stop-at", "4")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"process {rank} of 2: stopped at step 4" for rank in (0, 1)]
    alone, shared = (load_checkpoint(each.run_dir / CHECKPOINTS) for each in (one, two))
    assert alone.values["ada_p"] == shared.values["ada_p"] > 0
    assert shared.values["path_length_mean"] == pytest.approx(alone.values["path_length_mean"], rel=1e-5)
    for group, tensors in alone.groups.items():
        for name, tensor in tensors.items():
            gap = (shared.groups[group][name] - tensor).norm() / tensor.norm().clamp(min=1e-3)
            assert gap < 1e-4, f"{group}: {name}: {gap:.1e}"
    assert [path.name for path in (two.run_dir / "snapshots").iterdir()] == ["000004"]


def test_the_death_of_one_process_ends_the_other(config):
    done = torchrun(config(batch=8, steps=9999), "--kill", "1")
    assert done.returncode != 0
    assert "SIGKILL" in done.stderr
    assert "stopped" not in done.stdout


def test_alone_nothing_is_exchanged():
    ranks = Ranks()
    tensor = torch.ones(3)
    ranks.add(tensor)
    assert ranks.is_first
    assert torch.equal(tensor, torch.ones(3))
    assert ranks.from_first(7, torch.device("cpu")) == 7
    with ranks.first_goes_ahead():
        pass
