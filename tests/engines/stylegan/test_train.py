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
from engines.stylegan import loss
from engines.stylegan.config import Architecture, TrainConfig
from engines.stylegan.generate import Generator
from engines.stylegan.randomness import Purpose, torch_rng
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


def test_every_picture_is_shown_once_an_epoch(config, dataset):
    settings = config(mirror=False)
    training = Training(settings, dataset, TrainState.create(settings, torch.float32), SilentHost())
    epochs = []
    for _ in range(2):
        shown = []
        for _ in range(3):
            shown += [image.tobytes() for image in training._real_batch().numpy()]
            training.state.step += 1
            training.state.nimg += settings.batch
        epochs.append(shown)
    assert len(set(epochs[0])) == len(dataset)
    assert set(epochs[0]) == set(epochs[1])
    assert epochs[0] != epochs[1]


def test_mirroring_reverses_about_half(config, dataset):
    settings = config(mirror=True, batch=12)
    training = Training(settings, dataset, TrainState.create(settings, torch.float32), SilentHost())
    upright = {image.tobytes() for image in dataset.images}
    shown = ((training._real_batch().numpy() + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
    for image in shown:
        assert image.tobytes() in upright or np.ascontiguousarray(image[:, ::-1]).tobytes() in upright
    assert not all(image.tobytes() in upright for image in shown)


def test_the_first_update_goes_against_the_gradient_everywhere(config):
    """Adam's first step is -learning_rate * sign(gradient), element by element, in any memory layout."""
    settings = config(ada_target=0.0, gamma=0.0, path_length_weight=0.0, style_mixing=0.0, noise=False)
    training = Training(
        settings,
        PreparedDataset.open(settings.dataset),
        TrainState.create(settings, torch.float32),
        SilentHost(),
    )
    network = training.state.g
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    rng = torch_rng(settings.seed, Purpose.GENERATOR, 0)
    images = network.synthesis(training._ws(rng, settings.batch), "none")
    value = loss.generator_loss(training.state.d(images))
    gradients = torch.autograd.grad(value, list(network.parameters()), allow_unused=True)
    training._update_generator()
    for (name, parameter), gradient in zip(network.named_parameters(), gradients, strict=True):
        if gradient is not None and name.endswith("weight"):
            clear = gradient.abs() > 1e-5
            moved = (parameter.detach() - before[name])[clear]
            expected = -settings.learning_rate * gradient[clear].sign()
            torch.testing.assert_close(moved, expected, rtol=0.05, atol=1e-5, msg=name)


def test_average_has_the_stated_half_life(config):
    state = TrainState.create(config(), torch.float32)
    state.nimg = 10**6
    weight, average = state.g.mapping.fc0.weight, state.g_ema.mapping.fc0.weight
    start = average.clone()
    with torch.no_grad():
        weight.add_(1.0)
    for _ in range(10):
        state.update_average(batch=100, ema_kimg=1.0, rampup=None)
    torch.testing.assert_close(average, start + 0.5)
    state.g.mapping.w_avg.fill_(3.0)
    state.nimg = 0
    state.update_average(batch=100, ema_kimg=1.0, rampup=0.05)
    torch.testing.assert_close(average, weight)
    assert state.g_ema.mapping.w_avg.eq(3.0).all()


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


def test_losses_are_their_formulas():
    logits = torch.tensor([-1.0, 2.0])
    expected = -torch.log(torch.sigmoid(logits)).mean()
    torch.testing.assert_close(loss.generator_loss(logits), expected)
    expected = -torch.log(1 - torch.sigmoid(logits)).mean() - torch.log(torch.sigmoid(-logits)).mean()
    torch.testing.assert_close(loss.discriminator_loss(logits, -logits), expected)


def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_its_weights():
    weights = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    penalty = loss.r1_penalty(lambda images: (images * weights).sum((1, 2, 3)), torch.randn(5, 3, 4, 4))
    torch.testing.assert_close(penalty, weights.square().sum())
    (gradient,) = torch.autograd.grad(penalty, weights)
    torch.testing.assert_close(gradient, 2 * weights)


def test_path_length_of_a_linear_generator_is_the_norm_of_its_matrix():
    """For images = A w, with random y of variance 1 / pixels, the mean of |A^T y|^2 is |A|^2 / pixels."""
    matrix = torch.randn(3 * 16, 5, generator=torch.Generator().manual_seed(0))
    ws = torch.randn(2000, 1, 5, requires_grad=True)
    lengths = loss.path_lengths(
        lambda given: (given[:, 0] @ matrix.t()).view(-1, 3, 4, 4), ws, torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(lengths.square().mean(), matrix.square().sum() / 16, rtol=0.05, atol=0.0)
    penalty, mean = loss.path_length_penalty(lengths, torch.tensor(0.0))
    torch.testing.assert_close(mean, 0.01 * lengths.mean())
    torch.testing.assert_close(penalty, (lengths - mean).square().mean())
