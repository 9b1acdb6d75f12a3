"""A base's folder is looked at before anything is loaded, and everything wrong with it is named."""

import json
import shutil
import subprocess
import sys

import pytest

from engines.diffusion.folders import fingerprint, read_base
from engines.errors import ModelError


@pytest.fixture
def copied(base_folders, tmp_path):
    def copy(family):
        return shutil.copytree(base_folders(family), tmp_path / family)

    return copy


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_each_family_is_recognised(base_folders, family):
    info = read_base(base_folders(family))
    assert info.family == family
    assert info.name == family
    assert all(count > 1000 for count in info.parameters.values())


def test_memory_grows_with_training(base_folders):
    info = read_base(base_folders("sdxl"))
    weights = 2 * sum(info.parameters.values())
    assert info.memory_bytes(training=False) == (512 << 20) + weights
    assert info.memory_bytes(training=True) > info.memory_bytes(training=False)


def test_everything_missing_is_named_at_once(copied):
    folder = copied("sd15")
    shutil.rmtree(folder / "text_encoder")
    (folder / "unet" / "config.json").unlink()
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError) as caught:
        read_base(folder)
    for name in (
        "text_encoder/ is missing",
        "unet/config.json is missing",
        "tokenizer/vocab.json is missing",
        "vae/diffusion_pytorch_model.safetensors is missing",
    ):
        assert name in str(caught.value)


def test_a_cut_file_is_named(copied):
    folder = copied("flux")
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError, match=r"transformer/diffusion_pytorch_model.safetensors is damaged"):
        read_base(folder)


def test_a_missing_shard_is_named(copied):
    folder = copied("starter") / "text_encoder"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    with pytest.raises(ModelError, match=r"text_encoder/model-00002-of-00002.safetensors is missing"):
        read_base(folder.parent)


def test_shards_that_lack_a_tensor_are_named(copied):
    folder = copied("starter") / "text_encoder"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"not.there": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"text_encoder lacks not.there"):
        read_base(folder.parent)


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("sd15", {"cross_attention_dim": 99}, "unet expects text vectors of width 99, text_encoder gives 16"),
        ("sdxl", {"in_channels": 9}, "unet expects 9 latent channels, vae gives 4"),
        (
            "sd3",
            {"joint_attention_dim": 7},
            "transformer expects text vectors of width 7, text_encoder_3 gives 32",
        ),
        (
            "flux",
            {"pooled_projection_dim": 5},
            "transformer expects text vectors of width 5, text_encoder gives 16",
        ),
    ],
)
def test_components_that_do_not_fit_are_named(copied, name, setting, message):
    folder = copied(name)
    denoiser = "unet" if (folder / "unet").is_dir() else "transformer"
    change(folder / denoiser / "config.json", **setting)
    with pytest.raises(ModelError, match=message):
        read_base(folder)


def test_other_folders_are_refused(copied, tmp_path):
    with pytest.raises(ModelError, match="is not a base model"):
        read_base(tmp_path)
    folder = copied("sd15")
    change(folder / "model_index.json", _class_name="PixArtSigmaPipeline")
    with pytest.raises(ModelError, match="holds a PixArtSigmaPipeline"):
        read_base(folder)


def test_the_fingerprint_is_of_the_weights(copied, base_folders):
    folder = copied("sd15")
    assert fingerprint(folder) == fingerprint(base_folders("sd15")) != fingerprint(base_folders("sdxl"))
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert fingerprint(folder) != fingerprint(base_folders("sd15"))


def test_looking_needs_no_torch():
    code = "import sys, engines.diffusion.folders; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
