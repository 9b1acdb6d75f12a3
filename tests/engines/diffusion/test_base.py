"""Loaded bases: offline, frozen, and the same numbers as the pipelines of diffusers."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.diffusion.base import Base
from engines.errors import ModelError


def test_text_latents_and_pictures_go_through(open_base, family):
    base = open_base(family)
    assert base.info.family == base.family.name == family
    noisy = torch.randn(2, *base.latent_shape(32, 48))
    with torch.no_grad():
        text = base.encode_text(["a red cat", ""])
        predicted = base.predict(noisy, torch.tensor([900.0, 100.0]), text, guidance=torch.full((2,), 3.5))
    assert predicted.shape == noisy.shape == (2, 4, 24, 16)
    pictures = base.decode(noisy)
    assert pictures.shape == (2, 3, 48, 32)
    assert base.encode_pictures(pictures).shape == noisy.shape
    assert not any(parameter.requires_grad for parameter in base.denoiser.parameters())


def test_prompts_in_company_read_as_alone(open_base, family):
    base = open_base(family)
    with torch.no_grad():
        together = base.encode_text(["a red cat", "", "a dog"])
        alone = base.encode_text(["a dog"])
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name][2:], tensor)


def test_an_empty_prompt_is_zeros_where_sdxl_says_so(open_base):
    with torch.no_grad():
        text = open_base("sdxl").encode_text(["", "a cat"])
    assert not text["embeddings"][0].any()
    assert not text["pooled"][0].any()
    assert text["pooled"][1].any()


def test_sizes_follow_the_folder(open_base):
    assert open_base("starter").resolution == 128
    assert open_base("flux").resolution == 1024
    assert open_base("sdxl").resolution == 32
    assert open_base("sd3").multiple == 4


def test_a_tensor_that_is_missing_is_named(base_folders, tmp_path):
    folder = shutil.copytree(base_folders("sd15"), tmp_path / "base")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_in.bias"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"unet lacks weights or has others: conv_in.bias"):
        Base.open(folder)


def test_a_tensor_of_another_shape_is_named(base_folders, tmp_path):
    folder = shutil.copytree(base_folders("starter"), tmp_path / "base")
    config = folder / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_attention_heads": 4}))
    with pytest.raises(ModelError, match="transformer cannot be loaded"):
        Base.open(folder)


def test_libraries_stay_offline_whatever_the_environment_says():
    """Asked of a new process, as they read the environment once, when they are imported."""
    script = "import engines.diffusion.base, huggingface_hub as hub; print(hub.constants.HF_HUB_OFFLINE)"
    environment = {**os.environ, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "True"
