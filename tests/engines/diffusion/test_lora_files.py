"""LoRA files: what is written comes back, in both namings, and diffusers and kohya's readers agree."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engines.diffusion.kohya import to_kohya
from engines.diffusion.lora import add_lora, lora_parameters, remove_lora
from engines.diffusion.lora_files import LoraInfo, read_info, read_lora, save_lora
from engines.errors import ModelError

KOHYA = ("sd15", "sdxl", "flux")
INFO = LoraInfo(
    title="Mimochi",
    author="Ada",
    licence="CC-BY-4.0",
    trigger_phrase="mimochi",
    description="A cat",
    resolution=512,
    date="2026-01-02",
)


def tensors_for(base, *, layers="all", text=True, rank=3, **options):
    """Random tensors of a LoRA for a base, which is left without it."""
    rng = torch.Generator().manual_seed(1)
    add_lora(base, "made", rank=rank, layers=layers, text=text, rng=rng, **options)
    made = {
        name: torch.randn(value.shape, generator=rng) for name, value in lora_parameters(base, "made").items()
    }
    remove_lora(base, "made")
    return made


def added(tensors):
    """What a LoRA adds to each layer's weight."""
    layers = {name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")}
    return {name: tensors[f"{name}.lora_B.weight"] @ tensors[f"{name}.lora_A.weight"] for name in layers}


def assert_adds_the_same(first, second):
    first, second = added(first), added(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name])


def test_a_file_comes_back_with_its_metadata(open_base, family, tmp_path):
    base = open_base(family)
    made = tensors_for(base, convolutions=True, keyword="mimochi")
    digest = save_lora(tmp_path / "lora.safetensors", base, made, INFO, dtype=torch.float32)
    read = read_lora(tmp_path / "lora.safetensors", base)
    assert read.tensors.keys() == made.keys()
    assert all(torch.equal(read.tensors[name], made[name]) for name in made)
    assert read.size_bytes == sum(4 * tensor.numel() for tensor in made.values())
    told = read_info(tmp_path / "lora.safetensors")
    assert (told.title, told.author, told.trigger_phrase) == ("Mimochi", "Ada", "mimochi")
    assert (told.licence, told.resolution, told.date) == ("CC-BY-4.0", 512, "2026-01-02")
    assert (told.base, told.family, told.base_sha256) == (family, family, base.fingerprint)
    with safe_open(tmp_path / "lora.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.hash_sha256"] == f"0x{digest}"
    assert metadata["modelspec.architecture"] == f"{base.family.architecture}/lora"


@pytest.mark.parametrize("name", KOHYA)
@pytest.mark.parametrize("layers", ["attention", "all"])
def test_kohyas_naming_comes_back(open_base, tmp_path, name, layers):
    base = open_base(name)
    made = tensors_for(base, layers=layers, convolutions=layers == "all")
    path = tmp_path / "lora.safetensors"
    save_lora(path, base, made, INFO, naming="kohya", dtype=torch.float32)
    assert all(key.startswith(("lora_unet_", "lora_te")) for key in load_file(path))
    read = read_lora(path, base)
    assert read.tensors.keys() == made.keys()
    assert all(torch.equal(read.tensors[key], made[key]) for key in made)


@pytest.mark.parametrize("name", KOHYA)
def test_diffusers_reads_kohyas_naming_as_we_do(open_base, name):
    base = open_base(name)
    made = tensors_for(base)
    if name == "flux":  # of single blocks diffusers knows FLUX's own widths alone
        made = {key: value for key, value in made.items() if key.startswith("transformer.transformer_blocks")}
    converted = base.pipeline.lora_state_dict(
        to_kohya(base, made), **({"unet_config": base.pipeline.unet.config} if name != "flux" else {})
    )
    state, alphas = converted if isinstance(converted, tuple) else (converted, None)
    for key, alpha in (alphas or {}).items():
        assert alpha == 3, key
    if name == "flux":
        assert_adds_the_same(state, made)
    else:
        rows = {tuple(value.shape): 0 for value in state.values()}
        assert len(state) == len(made)
        assert rows.keys() == {tuple(value.shape) for value in made.values()}


def test_diffusers_loads_our_naming(open_base, base_folders, family, tmp_path):
    from engines.diffusion.base import Base

    base = Base.open(base_folders(family))
    made = tensors_for(open_base(family), convolutions=True)
    save_lora(tmp_path / "lora.safetensors", base, made, INFO, dtype=torch.float32)
    base.pipeline.load_lora_weights(tmp_path, weight_name="lora.safetensors", adapter_name="own")
    loaded = lora_parameters(base, "own")
    skipped = {name for name in made if name.startswith("text_encoder_2")} if family == "starter" else set()
    assert loaded.keys() == made.keys() - skipped
    assert all(torch.equal(loaded[name], made[name]) for name in loaded)


def test_alpha_is_taken_into_the_weights(open_base, tmp_path):
    base = open_base("sd15")
    made = tensors_for(base, text=False)
    kohya = to_kohya(base, made)
    halved = {name: value / 2 if name.endswith(".alpha") else value for name, value in kohya.items()}
    save_file(halved, tmp_path / "lora.safetensors")
    read = read_lora(tmp_path / "lora.safetensors", base).tensors
    for name, value in added(read).items():
        torch.testing.assert_close(2 * value, added(made)[name])


def test_convolutions_of_one_pixel_come_as_matrices_too(open_base, tmp_path):
    base = open_base("sd15")
    made = tensors_for(base, text=False, convolutions=True)
    kohya = to_kohya(base, made)
    names = [name for name in kohya if name.endswith("_proj_in.lora_down.weight")]
    assert names
    for name in names:
        assert kohya[name].shape[2:] == (1, 1)
        kohya[name] = kohya[name].flatten(1)
    save_file(kohya, tmp_path / "lora.safetensors")
    read = read_lora(tmp_path / "lora.safetensors", base).tensors
    assert read.keys() == made.keys()
    assert all(torch.equal(read[key], made[key]) for key in made)


def test_joined_layers_without_blocks_are_split(open_base, tmp_path):
    base = open_base("flux")
    down, up = torch.randn(2, 32), torch.randn(96, 2)
    name = "lora_unet_double_blocks_0_img_attn_qkv"
    save_file({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}, tmp_path / "lora.safetensors")
    read = added(read_lora(tmp_path / "lora.safetensors", base).tensors)
    joined = [read[f"transformer.transformer_blocks.0.attn.to_{part}"] for part in "qkv"]
    torch.testing.assert_close(torch.cat(joined), up @ down)


def test_sdxl_counts_its_blocks_as_its_authors_do(open_base):
    names = to_kohya(open_base("sdxl"), tensors_for(open_base("sdxl"), text=False))
    assert any(name.startswith("lora_unet_input_blocks_4_1_transformer_blocks_1_") for name in names)
    assert any(name.startswith("lora_unet_middle_block_1_") for name in names)
    assert any(name.startswith("lora_unet_output_blocks_2_1_") for name in names)
    made = tensors_for(open_base("sdxl"), text=False, convolutions=True)
    names = {name.removesuffix(".alpha") for name in to_kohya(open_base("sdxl"), made)}
    known = ("input_blocks_0_0", "input_blocks_1_0_in_layers_2", "input_blocks_3_0_op", "out_2")
    known += ("input_blocks_4_0_skip_connection", "middle_block_2_out_layers_3", "output_blocks_2_2_conv")
    assert {f"lora_unet_{name}" for name in known} <= names


def test_a_lora_for_another_base_is_refused_by_name(open_base, tmp_path):
    path = tmp_path / "lora.safetensors"
    sdxl = open_base("sdxl")
    save_lora(path, sdxl, tensors_for(sdxl), INFO)
    with pytest.raises(ModelError, match=r"Mimochi was made for Stable Diffusion XL \(sdxl\); the base sd15"):
        read_lora(path, open_base("sd15"))


def test_another_base_of_the_family_is_refused_unless_relatives_will_do(open_base, base_folders, tmp_path):
    import shutil

    from engines.diffusion.base import Base

    folder = shutil.copytree(base_folders("sd15"), tmp_path / "tuned")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    changed = {name: tensor + 0.01 for name, tensor in load_file(path).items()}
    save_file(changed, path, metadata={"format": "pt"})
    sd15, tuned = open_base("sd15"), Base.open(folder)
    lora = tmp_path / "lora.safetensors"
    save_lora(lora, sd15, tensors_for(sd15), INFO)
    with pytest.raises(ModelError, match="made for the base sd15; tuned is another one"):
        read_lora(lora, tuned)
    assert read_lora(lora, tuned, relatives=True).tensors


def test_unsigned_files_are_judged_by_their_layers(open_base, tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file(tensors_for(open_base("sdxl"), text=False), path)
    with pytest.raises(ModelError, match="foreign does not fit the base sd15: "):
        read_lora(path, open_base("sd15"))
    kohya = to_kohya(open_base("sdxl"), tensors_for(open_base("sdxl"), text=False))
    save_file(kohya, path)
    with pytest.raises(ModelError, match="does not fit the base flux: lora_unet_"):
        read_lora(path, open_base("flux"))


def test_files_that_are_none_are_refused(open_base, tmp_path):
    path = tmp_path / "lora.safetensors"
    path.write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(ModelError, match=r"lora.safetensors cannot be read"):
        read_lora(path, open_base("sd15"))
    with pytest.raises(ModelError, match="Save the LoRA for diffusers"):
        save_lora(path, open_base("starter"), {}, INFO, naming="kohya")
