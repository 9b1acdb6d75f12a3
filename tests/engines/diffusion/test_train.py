"""Training on tiny bases of every family: what is written, exact resume, and what goes wrong."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from engines.checkpoint import load_checkpoint
from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.diffusion.generate import Sample, generate
from engines.diffusion.lora import load_lora, remove_lora
from engines.diffusion.lora_files import read_lora
from engines.diffusion.state import TrainState
from engines.diffusion.train import train
from engines.diffusion.updates import Shown, Updates
from engines.diffusion.views import buckets, encode_views, nearest_bucket
from engines.errors import ConfigError, DatasetError, DivergedError
from engines.progress import Control


class RecordingHost:
    """Remembers everything; answers with `controls[step]` where there is one."""

    def __init__(self, controls=None):
        self.controls = controls or {}
        self.progresses = []
        self.snapshots = []

    def progress(self, progress):
        self.progresses.append(progress)
        return self.controls.get(progress.step, Control.CONTINUE)

    def snapshot(self, snapshot):
        assert snapshot.grid.is_file()
        self.snapshots.append(snapshot)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Six pictures of different ratios: a red square on grey; two have captions."""
    folder = tmp_path_factory.mktemp("pictures")
    made = []
    for number in range(6):
        image = Image.new("RGB", (60, 40) if number % 2 else (40, 40), (90, 90, 90 + number))
        image.paste((220, 30, 30), (10, 10, 30, 30))
        image.save(folder / f"{number}.png")
        captions = ("zoxumi cat on grey",) if number < 2 else ()
        made.append(TrainPicture(path=folder / f"{number}.png", captions=captions))
    return tuple(made)


@pytest.fixture
def config(base_folders, pictures, tmp_path):
    """Builds a TrainConfig of a few steps with everything switched on."""

    def build(family="starter", **values):
        return TrainConfig(
            **{
                "base": base_folders(family),
                "run_dir": tmp_path / "run",
                "pictures": pictures,
                "keyword": "zoxumi",
                "class_word": "cat",
                "templates": ("a picture of {keyword} {class_word}", "{keyword} {class_word}"),
                "name": "Zoxumi",
                "steps": 3,
                "resolution": 16,
                "batch": 2,
                "learning_rate": 1e-2,
                "rank": 2,
                "layers": "all",
                "convolutions": True,
                "keyword_learning_rate": 1e-3,
                "mirror": True,
                "views": 2,
                "prior_pictures": 2,
                "prior_steps": 2,
                "sample_steps": 2,
                "snapshot_every": 100,
                "precision": "fp32",
                "device": "cpu",
                **values,
            }
        )

    return build


def weights(run_dir):
    return load_checkpoint(run_dir / "checkpoints").groups


def assert_same(first, second):
    for group, tensors in first.items():
        assert all(torch.equal(tensor, second[group][name]) for name, tensor in tensors.items()), group


def test_every_family_trains_saves_loads_and_generates(config, open_base, family):
    settings, host = config(family), RecordingHost()
    result = train(settings, host)
    assert (result.outcome, result.step) == ("finished", 3)
    assert [progress.step for progress in host.progresses] == [1, 2, 3]
    assert host.progresses[-1].losses.keys() == {"loss", "loss_prior"}
    [snapshot] = host.snapshots
    assert snapshot == result.snapshot
    assert json.loads((snapshot.folder / "stats.json").read_text())["step"] == 3
    base = open_base(family)
    lora = read_lora(snapshot.folder / "lora.safetensors", base)
    assert (lora.info.title, lora.info.trigger_phrase, lora.info.family) == ("Zoxumi", "zoxumi", family)
    assert any(tensor.any() for name, tensor in lora.tensors.items() if name.endswith("lora_B.weight"))
    load_lora(base, "own", lora.tensors, keyword=lora.info.trigger_phrase)
    try:
        samples = [Sample(prompt="zoxumi cat", lora=name) for name in (None, "own")]
        plain, own = generate(base, samples, width=16, height=16, steps=2)
    finally:
        remove_lora(base, "own")
    assert (plain != own).any()


@pytest.mark.parametrize("name", ["starter", "sdxl"])
def test_interrupted_and_resumed_equals_uninterrupted(config, tmp_path, name):
    more = {"text_learning_rate": 1e-3, "surroundings": 2} if name == "starter" else {}
    whole = config(name, steps=4, run_dir=tmp_path / "whole", **more)
    train(whole, RecordingHost({2: Control.SAMPLE}))
    cut = dataclasses.replace(whole, run_dir=tmp_path / "cut")
    stopped = train(cut, RecordingHost({2: Control.STOP}))
    assert (stopped.outcome, stopped.step, stopped.snapshot.step) == ("stopped", 2, 2)
    host = RecordingHost()
    assert train(cut, host).outcome == "finished"
    assert [progress.step for progress in host.progresses] == [3, 4]
    assert_same(weights(whole.run_dir), weights(cut.run_dir))


def test_text_encoders_learn_where_they_may(config):
    settings = config("sdxl", text_learning_rate=1e-2, steps=2, prior_pictures=0)
    train(settings, RecordingHost())
    lora = weights(settings.run_dir)["lora"]
    for component in ("unet.", "text_encoder.", "text_encoder_2."):
        assert any(
            value.any() for name, value in lora.items() if name.startswith(component) and "lora_B" in name
        )


def test_a_batch_that_is_learnt_again_and_again_is_learnt(config, open_base):
    settings = config(steps=40, prior_pictures=0, views=1, caption_dropout=0.0, learning_rate=2e-2, rank=8)
    base = Base.open(settings.base)
    updates = Updates(settings, TrainState.create(base, settings), encode_views(base, settings))
    losses = [updates.step()["loss"] for _ in range(40)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_only_the_newest_snapshots_are_kept(config):
    settings = config(steps=3, snapshot_every=1, snapshots_kept=2, prior_pictures=0)
    host = RecordingHost()
    train(settings, host)
    assert len(host.snapshots) == 3
    kept = sorted(path.name for path in (settings.run_dir / "snapshots").iterdir())
    assert kept == ["000002", "000003"]


def test_a_loss_that_is_no_number_keeps_the_last_good_snapshot(config):
    settings = config(steps=4, snapshot_every=1, prior_pictures=0)
    train(dataclasses.replace(settings, steps=2), RecordingHost())
    broken = dataclasses.replace(settings, learning_rate=1e30, warmup=1)
    with pytest.raises(DivergedError, match="last snapshot is kept"):
        train(broken, RecordingHost())
    assert all(bool(torch.isfinite(value).all()) for value in weights(settings.run_dir)["lora"].values())
    assert (settings.run_dir / "snapshots" / "000002" / "lora.safetensors").is_file()


def test_changed_pictures_are_refused(config):
    settings = config(prior_pictures=0)
    train(settings, RecordingHost({1: Control.STOP}))
    fewer = dataclasses.replace(settings, pictures=settings.pictures[:5])
    with pytest.raises(DatasetError, match="pictures have changed"):
        train(fewer, RecordingHost())


def test_unreadable_pictures_are_named(config, pictures, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    settings = config(pictures=(*pictures, TrainPicture(path=bad)))
    with pytest.raises(DatasetError, match=r"bad.png cannot be read"):
        train(settings, RecordingHost())


class Full:
    """Lets the denoiser run out of memory where more than `most` pictures come at once."""

    def __init__(self, most):
        self.most = most

    def __call__(self, module, args, kwargs):
        if len(kwargs["hidden_states"]) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")


def updates_with_room_for(settings, most):
    base = Base.open(settings.base)
    updates = Updates(settings, TrainState.create(base, settings), encode_views(base, settings))
    base.denoiser.register_forward_pre_hook(Full(most), with_kwargs=True)
    return updates


def test_half_a_batch_at_a_time_gives_the_same_gradients(config):
    settings = config(batch=4, prior_pictures=0)
    losses = []
    for most in (4, 2):
        updates = updates_with_room_for(settings, most)
        losses.append([updates.step()["loss"] for _ in range(2)])
        assert updates.state.parts == 4 // most
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_where_halves_do_not_fit_it_says_what_would(config):
    with pytest.raises(ConfigError, match=r"4 pictures at once do not fit into memory; 2 would"):
        updates_with_room_for(config(batch=8, prior_pictures=0), 2).step()
    with pytest.raises(ConfigError, match="Not even one picture at a time fits"):
        updates_with_room_for(config(batch=4, prior_pictures=0), 0).step()


def test_gradient_checkpointing_changes_nothing(config, tmp_path):
    for number, checkpointing in enumerate((False, True)):
        settings = config(
            steps=1, run_dir=tmp_path / str(number), gradient_checkpointing=checkpointing, prior_pictures=0
        )
        train(settings, RecordingHost())
    first, second = (weights(tmp_path / str(number))["lora"] for number in range(2))
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name])


def test_bfloat16_bases_train_float32_loras(config):
    settings = config(precision="bf16", steps=1, prior_pictures=0)
    train(settings, RecordingHost())
    checkpoint = load_checkpoint(settings.run_dir / "checkpoints")
    assert checkpoint.values["dtype"] == "bfloat16"


def test_buckets_keep_the_area_and_the_ratio():
    sizes = buckets(512, 64)
    assert sizes[0] == (512, 512)
    for width, height in sizes:
        assert width % 64 == height % 64 == 0
        assert 0.8 < width * height / 512**2 < 1.25
        assert 0.5 <= width / height <= 2
    assert nearest_bucket(3000, 3100, sizes) == (512, 512)
    width, height = nearest_bucket(1000, 1600, sizes)
    assert width < height


def test_views_are_cut_in_their_ratio(config, open_base):
    views = encode_views(open_base("starter"), config())
    shapes = {bucket: tuple(latents.shape) for bucket, latents in views.latents.items()}
    assert len(shapes) == 2
    assert shapes[16, 16] == (6, 4, 8, 8)
    assert sum(shape[0] for shape in shapes.values()) == len(views.views) == 12


def test_subjects_are_seen_in_other_surroundings_too(config, open_base):
    settings = config(surroundings=3, ground_weight=0.25, views=1)
    views = encode_views(open_base("starter"), settings)
    placed = [view for view in views.views if view.place is not None]
    assert len(placed) == 18  # the red square stands out from every picture's grey
    assert {view.bucket for view in placed} == {(16, 16)}
    assert len(views.views) == 24
    for bucket, weights in views.weights.items():
        assert weights.shape == (len(views.latents[bucket]), 1, *views.latents[bucket].shape[2:])
        assert torch.allclose(weights.mean((1, 2, 3)), torch.ones(len(weights)))
    assert all(
        (views.weights[view.bucket][view.row] == 1).all() for view in views.views if view.place is None
    )
    assert any((views.weights[view.bucket][view.row] != 1).any() for view in placed)
    captions = [caption for step in range(40) for caption in Shown(settings, views).at(step)[2]]
    named = next(view.place for view in placed if view.place)
    assert any(caption.endswith(named) for caption in captions)
    again = encode_views(open_base("starter"), settings)
    assert all(torch.equal(again.latents[bucket], views.latents[bucket]) for bucket in views.latents)
