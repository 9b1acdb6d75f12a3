"""The training loop: determinism, resume, control by the host, and that it learns."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from engines.checkpoint import load_checkpoint
from engines.dataset import PreparedDataset, prepare
from engines.errors import ConfigError, DatasetError, DivergedError, ModelError
from engines.manifest import read_model_info, verify_files
from engines.progress import Control, SilentHost
from engines.stylegan.config import Architecture, TrainConfig
from engines.stylegan.generate import Generator
from engines.stylegan.state import TrainState
from engines.stylegan.train import CHECKPOINTS, Training, train

from .conftest import TINY, RecordingHost


def final_state(config):
    return load_checkpoint(config.run_dir / CHECKPOINTS)


def assert_same_state(first, second):
    assert first.values == second.values
    assert first.groups.keys() == second.groups.keys()
    for name, tensors in first.groups.items():
        assert tensors.keys() == second.groups[name].keys()
        for key, tensor in tensors.items():
            assert torch.equal(tensor, second.groups[name][key]), f"{name}: {key}"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_interrupted_and_resumed_equals_uninterrupted(config, tmp_path, precision):
    whole = config(run_dir=tmp_path / "whole", precision=precision)
    train(whole, SilentHost())
    parts = config(run_dir=tmp_path / "parts", precision=precision)
    first = train(parts, RecordingHost({3: Control.STOP}))
    assert (first.outcome, first.step) == ("stopped", 3)
    second = train(parts, SilentHost())
    assert (second.outcome, second.step, second.nimg) == ("finished", 6, 24)
    assert final_state(whole).values["ada_p"] > 0
    assert_same_state(final_state(whole), final_state(parts))


def test_looking_on_changes_nothing(config, tmp_path):
    plain = config(run_dir=tmp_path / "plain")
    train(plain, SilentHost())
    watched = config(run_dir=tmp_path / "watched", snapshot_every=1, checkpoint_seconds=0.0)
    torch.manual_seed(99)
    train(watched, RecordingHost({1: Control.SAMPLE, 2: Control.SNAPSHOT}))
    assert_same_state(final_state(plain), final_state(watched))


def test_another_seed_is_another_training(config, tmp_path):
    states = []
    for seed in (1, 2):
        settings = config(run_dir=tmp_path / str(seed), seed=seed, steps=1)
        train(settings, SilentHost())
        states.append(final_state(settings))
    assert not torch.equal(
        states[0].groups["g"]["mapping.fc0.weight"], states[1].groups["g"]["mapping.fc0.weight"]
    )


def test_a_finished_training_is_not_trained_further(config):
    settings = config(steps=2)
    train(settings, SilentHost())
    host = RecordingHost()
    result = train(settings, host)
    assert host.steps == []
    assert (result.outcome, result.step) == ("finished", 2)
    longer = train(replace(settings, steps=3), host)
    assert host.steps == [3]
    assert longer.snapshot.step == 3


def test_a_snapshot_that_a_crash_prevented_is_made_up_for(config):
    settings = config(steps=2)
    snapshot = train(settings, SilentHost()).snapshot
    generator = (snapshot.folder / "g_ema.safetensors").read_bytes()
    shutil.rmtree(snapshot.folder)
    host = RecordingHost()
    result = train(settings, host)
    assert host.steps == []
    assert [made.step for made in host.snapshots] == [2]
    assert (result.snapshot.folder / "g_ema.safetensors").read_bytes() == generator


def test_the_host_is_told_every_step_and_every_snapshot(config):
    host = RecordingHost({1: Control.SAMPLE, 3: Control.SNAPSHOT})
    settings = config(snapshot_every=4)
    result = train(settings, host)
    assert host.steps == [1, 2, 3, 4, 5, 6]
    assert [(snapshot.step, snapshot.is_sample) for snapshot in host.snapshots] == [
        (1, True),
        (3, False),
        (4, False),
        (6, False),
    ]
    assert result.snapshot == host.snapshots[-1]
    assert {"loss_g", "loss_d", "r1", "path_length", "ada_p"} <= host.losses[0].keys()


def test_a_snapshot_is_a_complete_model_folder(config):
    settings = config(steps=2, name="Halves", licence="CC0-1.0")
    snapshot = train(settings, SilentHost()).snapshot
    info = read_model_info(snapshot.folder)
    verify_files(snapshot.folder, info)
    assert (info.name, info.licence, info.step, info.nimg) == ("Halves", "CC0-1.0", 2, 8)
    assert [entry["kind"] for entry in info.lineage] == ["dataset"]
    with Image.open(snapshot.grid) as grid:
        assert grid.size == (7 * 16, 4 * 16)
    assert json.loads((snapshot.folder / "stats.json").read_text())["step"] == 2
    assert Generator.load(snapshot.folder).images([0]).shape == (1, 16, 16, 3)


@pytest.fixture(scope="module")
def forty(dataset, tmp_path_factory):
    """Enough pictures to measure with: the twelve ones, each several times."""
    pictures = [(f"{copy}{name}", dataset.path.parent / name) for copy in range(4) for name in dataset.names]
    return prepare(pictures, tmp_path_factory.mktemp("forty"), resolution=16, crop="center")


def test_each_snapshot_is_measured(config, forty):
    host = RecordingHost()
    result = train(config(dataset=forty.path, steps=4, snapshot_every=2, quality_samples=20), host)
    for snapshot in host.snapshots:
        assert snapshot.stats["distance_samples"] == 20
        assert snapshot.stats["distance"] > snapshot.stats["distance_floor"] > 0
    stats = read_model_info(result.snapshot.folder).stats
    assert stats == host.snapshots[-1].stats
    assert {"kernel_distance", "sliced_wasserstein", "diversity", "diversity_real", "ada_p"} <= stats.keys()


def test_measuring_changes_nothing(config, forty, tmp_path):
    def build(name, samples):
        settings = {"steps": 3, "snapshot_every": 2, "quality_samples": samples}
        return config(dataset=forty.path, run_dir=tmp_path / name, **settings)

    plain, measured, resumed = build("plain", 0), build("measured", 20), build("resumed", 20)
    assert "distance" not in train(plain, SilentHost()).snapshot.stats
    stats = train(measured, SilentHost()).snapshot.stats
    train(resumed, RecordingHost({1: Control.STOP}))
    assert train(resumed, SilentHost()).snapshot.stats == stats
    assert_same_state(final_state(plain), final_state(measured))


def test_too_few_pictures_are_not_measured(config):
    stats = train(config(steps=1), SilentHost()).snapshot.stats
    assert "distance" not in stats
    assert "ada_p" in stats


def test_a_training_can_start_from_a_snapshot(config, tmp_path):
    first = train(config(steps=2, run_dir=tmp_path / "first", licence="CC0-1.0"), SilentHost()).snapshot
    settings = config(steps=1, run_dir=tmp_path / "second", start=first.folder, architecture=Architecture())
    state = TrainState.create(settings, torch.float32)
    parent = Generator.load(first.folder)
    assert state.architecture == TINY
    assert torch.equal(state.g.synthesis.b4.const, parent._network.synthesis.b4.const)
    second = read_model_info(train(settings, SilentHost()).snapshot.folder)
    assert second.nimg == first.nimg + 4
    assert [(entry["kind"], entry["sha256"]) for entry in second.lineage[1:2]] == [
        ("model", parent.info.sha256)
    ]
    assert second.lineage[1]["licence"] == "CC0-1.0"


def test_a_start_without_discriminator_is_refused(config, tmp_path):
    folder = train(config(steps=1), SilentHost()).snapshot.folder
    model = json.loads((folder / "model.json").read_text())
    del model["files"]["d.safetensors"]
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(ModelError, match="no discriminator"):
        train(config(run_dir=tmp_path / "other", start=folder), SilentHost())


def test_frozen_layers_stay_as_they_are(config):
    settings = config(freeze_d=3, steps=2)
    before = TrainState.create(settings, torch.float32).d.state_dict()
    train(settings, SilentHost())
    after = final_state(settings).groups["d"]
    frozen = ("b16.fromrgb", "b16.conv0", "b16.conv1")
    for name in after:
        if name.endswith("weight"):
            assert torch.equal(before[name], after[name]) == name.startswith(frozen), name


def test_freezing_everything_is_refused(config):
    with pytest.raises(ConfigError, match="freeze_d"):
        train(config(freeze_d=99), SilentHost())


def test_pictures_of_another_size_are_refused(config):
    with pytest.raises(ConfigError, match="Prepare them again at 32"):
        train(config(architecture=replace(TINY, resolution=32)), SilentHost())


def test_other_pictures_under_a_saved_training_are_refused(config, dataset, tmp_path):
    train(config(steps=1), SilentHost())
    pictures = [(name, dataset.path.parent / name) for name in dataset.names[:5]]
    other = prepare(pictures, tmp_path / "other", resolution=16, crop="center")
    with pytest.raises(DatasetError, match="have changed"):
        train(config(dataset=other.path), SilentHost())


def test_a_training_that_explodes_stops_and_keeps_the_last_good_snapshot(config):
    settings = config(steps=4, snapshot_every=2)
    host = RecordingHost({2: Control.STOP})
    good = train(settings, host).snapshot
    state = final_state(settings)
    training = Training(
        settings, PreparedDataset.open(settings.dataset), _restored(settings, state), SilentHost()
    )
    with torch.no_grad():
        training.state.d.b4.out.bias.fill_(float("nan"))
    with pytest.raises(DivergedError, match="last good snapshot"):
        training.run()
    assert_same_state(final_state(settings), state)
    verify_files(good.folder, read_model_info(good.folder))


def test_weights_that_are_not_numbers_are_never_saved(config):
    settings = config()
    training = Training(
        settings,
        PreparedDataset.open(settings.dataset),
        TrainState.create(settings, torch.float32),
        SilentHost(),
    )
    with torch.no_grad():
        training.state.g_ema.mapping.fc0.bias.fill_(float("inf"))
    with pytest.raises(DivergedError):
        training._checkpoint()
    assert final_state(settings) is None


def _restored(settings, checkpoint):
    state = TrainState.create(settings, torch.float32)
    state.restore(checkpoint)
    return state


def test_a_checkpoint_of_other_sizes_is_refused(config):
    settings = config(steps=1)
    train(settings, SilentHost())
    other = TrainState.create(replace(settings, architecture=replace(TINY, channel_max=4)), torch.float32)
    with pytest.raises(ModelError, match="does not fit"):
        other.restore(final_state(settings))


def test_it_learns_four_pictures(dataset, tmp_path):
    """Both networks at once: after training, images look like the four pictures far more than before."""
    pictures = [(name, dataset.path.parent / name) for name in dataset.names[:4]]
    four = prepare(pictures, tmp_path / "four", resolution=16, crop="center")
    settings = TrainConfig(
        dataset=four.path,
        run_dir=tmp_path / "run",
        architecture=replace(TINY, channel_max=16, channel_base=256),
        steps=250,
        batch=8,
        mirror=False,
        learning_rate=0.01,
        ada_target=0.0,
        ema_kimg=0.2,
        snapshot_every=250,
        checkpoint_seconds=1e9,
        precision="fp32",
    )

    def distance(network):
        z = torch.randn(32, network.architecture.z_dim, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            images = network(z, noise_mode="const").permute(0, 2, 3, 1) * 127.5 + 128
        gaps = [(images - torch.from_numpy(np.array(real))).abs().mean((1, 2, 3)) for real in four.images]
        return torch.stack(gaps).min(dim=0).values.mean().item()

    before = distance(TrainState.create(settings, torch.float32).g_ema)
    result = train(settings, SilentHost())
    after = distance(Generator.load(result.snapshot.folder)._network)
    assert after < 0.5 * before
