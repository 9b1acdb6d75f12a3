"""Both stages on a few tiny batches: resuming, agreement with diffusers, and the exported folder."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, FluxPipeline
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor

from engines.diffusion.words import read_words
from engines.starters.text_to_image import autoencoder, export, flow, transformer
from engines.starters.text_to_image.__main__ import main
from engines.starters.text_to_image.attention import MatmulAttention, NormRotate
from engines.starters.text_to_image.pool import PoolKind
from engines.starters.text_to_image.running import Run
from engines.starters.text_to_image.text import LENGTH, tokenize

AUTOENCODER = autoencoder.Recipe(steps=3, batch=2, crop=32, textures=2, judged_scenes=2, measured_pictures=4)
RECIPE = transformer.Recipe(
    phases=(
        transformer.Phase(pool=PoolKind(size=64, core_only=True, capacity=128), batch=4, until=8),
        transformer.Phase(pool=PoolKind(size=128, core_only=False, capacity=128), batch=4, until=12),
    ),
    first_fill=64,
    reuse=1,
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory) -> Run:
    """A run whose two stages went through, with weights as bad as that makes them."""
    run = Run(images=images, out=tmp_path_factory.mktemp("run"))
    assert autoencoder.train(run, AUTOENCODER)
    assert transformer.Training(run, RECIPE).train()
    return run


def test_a_killed_autoencoder_training_goes_on_exactly(images, tmp_path):
    whole = Run(images=images, out=tmp_path / "whole")
    assert autoencoder.train(whole, AUTOENCODER)
    cut = Run(images=images, out=tmp_path / "cut", checkpoint_seconds=0)
    killed = autoencoder.Training(cut, AUTOENCODER)
    killed._step()
    killed._save()
    killed._step()  # lost
    assert autoencoder.train(cut, AUTOENCODER)
    models = [(run.out / "vae" / "diffusion_pytorch_model.safetensors").read_bytes() for run in (whole, cut)]
    assert models[0] == models[1]


def test_a_killed_transformer_training_goes_on_exactly(trained, tmp_path):
    shutil.copytree(trained.out / "vae", tmp_path / "vae")
    shutil.copytree(trained.out / "tokenizer", tmp_path / "tokenizer")
    run = Run(images=trained.images, out=tmp_path)
    shorter = dataclasses.replace(RECIPE, phases=(RECIPE.phases[0],))
    assert transformer.Training(run, shorter).train()
    resumed = transformer.Training(run, RECIPE)
    assert resumed.seen == 8
    assert resumed.train()
    whole = transformer.Training(trained, RECIPE)
    assert whole.step == resumed.step == 3
    for name, value in whole.parameters.items():
        assert torch.equal(value, resumed.parameters[name]), name


def test_a_state_with_averages_alone_is_enough_to_go_on(trained, tmp_path):
    shutil.copytree(trained.out, tmp_path / "run")
    for path in (tmp_path / "run" / "transformer").glob("*.safetensors"):
        if path.stem not in {"ema", "random"}:
            path.unlink()
    resumed = transformer.Training(Run(images=trained.images, out=tmp_path / "run"), RECIPE)
    for name, value in resumed.ema.values.items():
        assert torch.equal(value, resumed.parameters[name])


def test_the_log_tells_validation_and_quality(trained):
    entries = [json.loads(line) for line in (trained.out / "log.jsonl").read_text().splitlines()]
    assert {"scenes", "photographs"} == next(e["psnr"] for e in entries if "psnr" in e).keys()
    assert sum("validation" in entry for entry in entries) == 2


def test_attention_equals_the_stock_processor():
    torch.manual_seed(0)
    model = flow.new_transformer(heads=2, head_width=16, single_blocks=1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    noisy, times = torch.randn(3, 16, 32), torch.rand(3)
    text = torch.randn(3, LENGTH, 128), torch.randn(3, 64)
    results = []
    for processor in (FluxAttnProcessor(), MatmulAttention()):
        model.set_attn_processor(processor)
        model.zero_grad()
        output = flow.velocity(model, noisy, times, text)
        output.square().sum().backward()
        results.append((output, model.x_embedder.weight.grad.clone()))
    (stock, stock_gradient), (own, own_gradient) = results
    torch.testing.assert_close(own, stock)
    torch.testing.assert_close(own_gradient, stock_gradient, rtol=1e-3, atol=1e-4)


def test_norm_and_rotation_have_the_right_derivative():
    heads = torch.randn(2, 3, 2, 4, requires_grad=True)
    weight = torch.rand(4, requires_grad=True)
    turns = torch.polar(torch.ones(3, 1, 2), torch.randn(3, 1, 2))
    normal = torch.nn.functional.rms_norm(heads, (4,), weight, 1e-6)
    pairs = torch.view_as_complex(normal.unflatten(-1, (-1, 2))) * turns
    reference = torch.view_as_real(pairs).flatten(-2)
    own = NormRotate.apply(heads, weight, turns, 1e-6)
    torch.testing.assert_close(own, reference)
    direction = torch.randn_like(own)
    wanted = torch.autograd.grad(reference, (heads, weight), direction)
    for got, gradient in zip(torch.autograd.grad(own, (heads, weight), direction), wanted, strict=True):
        torch.testing.assert_close(got, gradient)


def test_packing_and_positions_are_those_of_flux_pipelines():
    latents = torch.randn(2, 8, 16, 16)
    packed = flow.pack(latents)
    assert torch.equal(packed, FluxPipeline._pack_latents(latents, 2, 8, 16, 16))
    assert torch.equal(flow.unpack(packed), latents)
    ids = FluxPipeline._prepare_latent_image_ids(2, 8, 8, "cpu", torch.float32)
    assert torch.equal(flow.positions(8), ids)
    assert flow.positions(4)[0].tolist() == [0, 0.5, 0.5]
    assert flow.positions(4)[-1].tolist() == [0, 6.5, 6.5]


def test_sheet_and_status(trained, tmp_path, capsys):
    arguments = ["--out", str(trained.out), "--png", str(tmp_path / "sheet.png"), "--steps", "1"]
    assert main(["sheet", *arguments]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert main(["status", "--out", str(trained.out)]) == 0
    assert "validation" in capsys.readouterr().out


def test_the_exported_folder_is_an_ordinary_pipeline(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_COUNTED_CHUNKS", 2)
    folder = tmp_path / "base"
    command = ["export", "--images", str(trained.images), "--out", str(trained.out), "--folder", str(folder)]
    assert main(command) == 0
    assert main(command) == 1
    assert max(path.stat().st_size for path in folder.rglob("*.safetensors")) <= 8 * 2**20
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 21 * 2**20
    words = read_words((folder / "words.json").read_bytes())
    assert "penguin" in words
    assert words.nearest("kitten")[0] == "cat"
    assert str(trained.out) not in (folder / "vae" / "config.json").read_text()
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    prompt = "a cat on a yellow background, emoji"
    latents = pipeline(
        prompt,
        negative_prompt="",
        true_cfg_scale=4.0,
        height=128,
        width=128,
        num_inference_steps=3,
        max_sequence_length=LENGTH,
        generator=torch.Generator().manual_seed(5),
        output_type="latent",
    ).images
    model = transformer.Model(pipeline.tokenizer, plain_attention=False)
    model.transformer = pipeline.transformer
    model.encoders.pooled, model.encoders.tokens = pipeline.text_encoder, pipeline.text_encoder_2
    tokens = tuple(torch.from_numpy(tokenize(pipeline.tokenizer, [t]).astype(np.int64)) for t in (prompt, ""))
    own = flow.sample(model.transformer, model.encoders, tokens, side=8, seeds=[5], steps=3)
    torch.testing.assert_close(flow.pack(own), latents, rtol=1e-4, atol=1e-4)


def test_a_training_goes_on_from_an_exported_base_and_cools_down(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_COUNTED_CHUNKS", 2)
    base, out = tmp_path / "base", tmp_path / "run"
    export.export(trained, base)
    command = ["adopt", "--base", str(base), "--seen", "8", "--out", str(out)]
    assert main(command) == 0
    assert main(command) == 1
    run = Run(images=trained.images, out=out)
    resumed = transformer.Training(run, dataclasses.replace(RECIPE, warmup=1, end=20, cooldown=8))
    former = transformer.Training(trained, RECIPE)
    for name, value in former.ema.values.items():
        torch.testing.assert_close(resumed.parameters[name].detach(), value, rtol=1e-2, atol=1e-3)
    assert (resumed.seen, resumed.scenes) == (8, 8)
    last = dataclasses.replace(RECIPE.phases[1], until=100)
    resumed.recipe = dataclasses.replace(resumed.recipe, phases=(last,))
    shares = []
    monkeypatch.setattr(
        resumed, "_share_of_rates", lambda share=resumed._share_of_rates: shares.append(share()) or shares[-1]
    )
    assert resumed.train()
    assert resumed.seen == 20
    assert shares == [1.0, 1.0, 0.5]
    assert transformer.Training(run, RECIPE).scenes == 8
