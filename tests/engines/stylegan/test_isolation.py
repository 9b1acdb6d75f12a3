"""Conversion in a process of its own: same result, limits that end it, nothing left behind, no secrets."""

import os

import pytest
import torch

from engines import isolation
from engines.__main__ import main
from engines.errors import ModelError
from engines.isolation import Confinement
from engines.manifest import read_model_info, verify_files
from engines.stylegan.config import Architecture
from engines.stylegan.isolation import convert_isolated
from engines.stylegan.networks import Generator

from .nvidia_files import dumps, snapshot, write

SMALL = Architecture(resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    torch.manual_seed(0)
    return write(tmp_path_factory.mktemp("files") / "cats.pkl", snapshot(Generator(SMALL)))


def test_the_result_is_the_same_without_the_hosts_secrets(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_canary")
    given = {}
    run = isolation.subprocess.run

    def watched(command, **options):
        given.update(options)
        return run(command, **options)

    monkeypatch.setattr(isolation.subprocess, "run", watched)
    assert main(["convert", str(source), "--out", str(tmp_path / "isolated")]) == 0
    told = capsys.readouterr().out
    assert given["env"].keys() == {"PATH", "LANG", "HOME", "TMPDIR", "OMP_NUM_THREADS", "HF_HUB_OFFLINE"}
    assert "canary" not in repr(given)
    assert main(["convert", str(source), "--out", str(tmp_path / "here"), "--trusted"]) == 0
    assert capsys.readouterr().out == told
    info = read_model_info(tmp_path / "isolated")
    verify_files(tmp_path / "isolated", info)
    assert info == read_model_info(tmp_path / "here")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "here", tmp_path / "isolated"]


def test_refusals_arrive_in_their_own_words(tmp_path):
    canary = tmp_path / "canary"

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    hostile = tmp_path / "cats.pkl"
    hostile.write_bytes(dumps({"G_ema": Attack()}))
    with pytest.raises(ModelError, match=r"asks for posix\.system"):
        convert_isolated(hostile, tmp_path / "model")
    assert list(tmp_path.iterdir()) == [hostile]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"cpu_seconds": 1}, "more time or memory"),
        ({"memory_bytes": 64 << 20}, "memory"),
        ({"wall_seconds": 0}, "more time or memory"),
    ],
)
def test_limits_end_it_and_nothing_is_left(source, tmp_path, limits, told):
    with pytest.raises(ModelError, match=told):
        convert_isolated(source, tmp_path / "model", confinement=Confinement(**limits))
    assert list(tmp_path.iterdir()) == []
