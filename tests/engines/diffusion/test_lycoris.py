"""LoHa, LoKr and DoRA: what is read does what peft, or the papers' own formulas, make of the same tensors."""

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file

from engines.diffusion.base import Base
from engines.diffusion.kohya import table
from engines.diffusion.lora import DOWN, UP, every_layer, load_lora, remove_lora, weight_of
from engines.diffusion.lora_files import read_lora
from engines.diffusion.per_sample import per_sample
from engines.errors import ModelError

TARGETS = ["to_q", "to_v", "to_out.0", "conv1", "conv_shortcut"]
KINDS = {
    "loha": LoHaConfig(r=2, alpha=1, target_modules=TARGETS),
    "loha of high rank": LoHaConfig(r=5, alpha=5, target_modules=TARGETS),
    "loha with cores": LoHaConfig(r=2, alpha=1, target_modules=TARGETS, use_effective_conv2d=True),
    "lokr": LoKrConfig(r=2, alpha=1, target_modules=TARGETS, decompose_factor=4),
    "lokr of small matrices": LoKrConfig(r=1, alpha=2, target_modules=TARGETS, decompose_both=True),
    "lokr of whole matrices": LoKrConfig(r=50, alpha=50, target_modules=TARGETS),
    "lokr with cores": LoKrConfig(r=1, alpha=2, target_modules=TARGETS, use_effective_conv2d=True),
}


def by_layer(base, name):
    """Every layer of the UNet that peft put an adapter of this name into, by the names of files."""
    for path, module in base.denoiser.named_modules():
        if name in getattr(module, "_available_adapters", ()) or name in getattr(module, "lora_A", ()):
            yield f"unet.{path}", module


def parts_of(layer, name):
    """An adapter's tensors in one layer, by the names of files."""
    return {
        kind: getattr(layer, kind)[name].detach().clone()
        for kind in layer.adapter_layer_names
        if name in getattr(layer, kind)
    }


def written(base, layers, path, naming):
    """Save tensors by layer and kind, in kohya's names or by the paths of modules."""
    names = {joined.names[0]: kohya for kohya, joined in table(base).items()}
    tensors = {
        f"{names[layer] if naming == 'kohya' else layer}.{kind}": tensor.contiguous()
        for layer, parts in layers.items()
        for kind, tensor in parts.items()
    }
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("naming", ["kohya", "diffusers"])
def test_products_are_pefts(base_folders, tmp_path, kind, naming):
    base, fresh = (Base.open(base_folders("sd15")) for _ in range(2))
    inject_adapter_in_model(KINDS[kind], base.denoiser, adapter_name="own")
    rng = torch.Generator().manual_seed(0)
    layers, deltas = {}, {}
    for name, layer in by_layer(base, "own"):
        for parameter in (
            layer_part for part in layer.adapter_layer_names for layer_part in getattr(layer, part).values()
        ):
            parameter.data = torch.randn(parameter.shape, generator=rng)
        # Of two whole matrices LyCORIS, which made these files common, knows no rank and so no scale.
        scale = (
            layer.scaling["own"] if "own" in getattr(layer, "lokr_w1", ()) and "own" in layer.lokr_w2 else 1.0
        )
        deltas[name] = layer.get_delta_weight("own").detach() / scale
        layers[name] = parts_of(layer, "own") | {"alpha": torch.tensor(float(KINDS[kind].alpha))}
    read = read_lora(written(fresh, layers, tmp_path / "own.safetensors", naming), fresh).tensors
    assert read.keys() == {f"{name}.{part}" for name in deltas for part in (DOWN, UP)}
    for name, delta in deltas.items():
        down, up = read[f"{name}.{DOWN}"], read[f"{name}.{UP}"]
        torch.testing.assert_close((up.flatten(1) @ down.flatten(1)).view_as(delta), delta)
        assert len(down) <= min(len(delta), delta[0].numel())


def dora(base, rng):
    """A DoRA of peft inside a base, and its tensors by layer and kohya's kinds."""
    config = LoraConfig(r=2, lora_alpha=1, target_modules=TARGETS, use_dora=True)
    inject_adapter_in_model(config, base.denoiser, adapter_name="own")
    layers = {}
    for name, layer in by_layer(base, "own"):
        for held in (layer.lora_A, layer.lora_B, layer.lora_magnitude_vector):
            parameter = held["own"].weight
            parameter.data = parameter.data.abs() * 0.5 + torch.rand(parameter.shape, generator=rng) * 0.3
        layers[name] = (
            layer.lora_A["own"].weight.detach(),
            layer.lora_B["own"].weight.detach(),
            layer.lora_magnitude_vector["own"].weight.detach(),
        )
    return layers


@pytest.mark.parametrize("naming", ["kohya", "diffusers"])
def test_a_dora_does_what_pefts_does(base_folders, tmp_path, naming):
    base, fresh = (Base.open(base_folders("sd15")) for _ in range(2))
    rng = torch.Generator().manual_seed(0)
    layers = {}
    for name, (down, up, magnitude) in dora(base, rng).items():
        layers[name] = {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(1.0)}
        layers[name]["dora_scale"] = magnitude.view(-1, *(1 for _ in down.shape[1:]))
        if naming == "diffusers":
            layers[name] = {
                DOWN: down,
                UP: up,
                "alpha": torch.tensor(1.0),
                "lora_magnitude_vector": magnitude,
            }
    read = read_lora(written(fresh, layers, tmp_path / "own.safetensors", naming), fresh)
    load_lora(fresh, "own", read.tensors)
    latents = torch.randn(2, *base.latent_shape(32, 32), generator=rng)
    times, text = torch.tensor([100.0, 800.0]), base.encode_text(["a cat", ""])
    expected, bare = (
        base.predict(latents, times, text),
        Base.open(base_folders("sd15")).predict(latents, times, text),
    )
    with torch.no_grad(), per_sample(fresh, ["own", "__base__"], [1.0, 1.0]):
        found = fresh.predict(latents, times, text)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found[1], bare[1], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(expected[0], bare[0], atol=1e-2)
    remove_lora(fresh, "own")
    assert not fresh.gains


def test_magnitudes_over_inputs(open_base, tmp_path):
    """As LyCORIS has them unless told otherwise: the columns of W + B A get these lengths."""
    base = open_base("sd15")
    rng = torch.Generator().manual_seed(0)
    for name in (
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
        "unet.mid_block.resnets.0.conv1",
    ):
        layer = every_layer(base)[name]
        weight = weight_of(layer).detach()
        down = torch.randn(2, *weight.shape[1:], generator=rng)
        up = torch.randn(len(weight), 2, *(1 for _ in weight.shape[2:]), generator=rng)
        whole = weight + (up.flatten(1) @ down.flatten(1)).view_as(weight)
        sums = [number for number in range(weight.ndim) if number != 1]
        magnitude = torch.rand(1, weight.shape[1], *(1 for _ in weight.shape[2:]), generator=rng)
        expected = whole * magnitude / whole.square().sum(sums, keepdim=True).sqrt()
        parts = {"lora_down.weight": down, "lora_up.weight": up, "dora_scale": magnitude}
        read = read_lora(written(base, {name: parts}, tmp_path / "own.safetensors", "kohya"), base)
        load_lora(base, "own", read.tensors)
        x = torch.randn(1, weight.shape[1], *(8 for _ in weight.shape[2:]), generator=rng)
        with torch.no_grad(), per_sample(base, ["own"], [1.0]):
            found = every_layer(base)[name](x)
        if weight.ndim == 2:
            direct = torch.nn.functional.linear(x, expected, layer.bias)
        else:
            direct = torch.nn.functional.conv2d(x, expected, layer.bias, padding=1)
        torch.testing.assert_close(found, direct, rtol=1e-4, atol=1e-4)
        remove_lora(base, "own")


def test_what_is_not_read_is_refused_by_name(open_base, tmp_path):
    base, path = open_base("sd15"), tmp_path / "own.safetensors"
    layer = "unet.mid_block.resnets.0.conv1"
    written(base, {layer: {"oft_diag": torch.ones(2, 4, 4)}}, path, "kohya")
    with pytest.raises(ModelError, match=r"own is an OFT, which is not read here. Get it as a LoRA, DoRA"):
        read_lora(path, base)
    small = {f"lokr_{part}": torch.ones(2, 2) for part in ("w1", "w2")}
    written(base, {layer: small}, path, "kohya")
    with pytest.raises(
        ModelError, match=r"does not fit the base sd15: lora_unet_mid_block_resnets_0_conv1\.lokr"
    ):
        read_lora(path, base)
    written(base, {layer: {"dora_scale": torch.ones(4)}}, path, "diffusers")
    with pytest.raises(ModelError, match="dora_scale stands without its LoRA"):
        read_lora(path, base)
