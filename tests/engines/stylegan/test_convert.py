"""Model folders out of .pkl files, one to one; and what is told of those that cannot be converted."""

import hashlib
import json

import numpy as np
import pytest
import torch

from engines.__main__ import main
from engines.checkpoint import load_tensors
from engines.errors import ModelError
from engines.files import sha256_file
from engines.manifest import read_model_info, verify_files
from engines.stylegan import stylegan3
from engines.stylegan.config import Architecture, TrainConfig
from engines.stylegan.convert import KNOWN_FORKS, NVIDIA_LICENCE, UNKNOWN_FORK, convert
from engines.stylegan.derive import stylegan2_architecture, stylegan3_architecture
from engines.stylegan.generate import Generator as Maker
from engines.stylegan.networks import Discriminator, Generator
from engines.stylegan.state import TrainState

from .nvidia_files import (
    REFERENCE,
    SOURCE,
    Module,
    as_module,
    fill,
    reference_latents,
    sampled,
    snapshot,
    write,
)

FACTS = REFERENCE["stylegan2"]
SMALL = Architecture(resolution=32, z_dim=16, w_dim=24, mapping_layers=3, channel_base=256, channel_max=20)
SMALL3 = {
    "t": stylegan3.Architecture(
        resolution=32, z_dim=16, w_dim=24, num_layers=6, channel_base=512, channel_max=24
    ),
    "r": stylegan3.Architecture(
        resolution=32,
        z_dim=16,
        w_dim=24,
        num_layers=6,
        channel_base=1024,
        channel_max=32,
        conv_kernel=1,
        radial_filters=1,
    ),
}
PUBLISHED = ("resolution", "mapping_layers", "channel_base", "channel_max")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def networks():
    """The averaged generator, the trained one and the discriminator, with the reference's numbers."""
    g = Generator(SMALL)
    return fill(Generator(SMALL)), g, fill(Discriminator(SMALL))


@pytest.fixture
def converted(tmp_path):
    """Converts a snapshot's content."""

    def converted(content, protocol=4, **options):
        path = write(tmp_path / "network-snapshot-000200.pkl", content, protocol)
        return convert(path, tmp_path / "model", **options)

    return converted


def shapes_only(network):
    """Arrays of a network's shapes that take no memory."""
    return {
        name: np.broadcast_to(np.float32(0), tensor.shape) for name, tensor in network.state_dict().items()
    }


# --- StyleGAN2


@pytest.mark.parametrize("protocol", [3, 4])
def test_weights_arrive_one_to_one(converted, networks, protocol):
    conversion = converted(snapshot(*networks), protocol)
    verify_files(conversion.folder, conversion.info)
    for file, network in zip(("g_ema", "g", "d"), networks, strict=True):
        tensors = load_tensors(conversion.folder / f"{file}.safetensors")
        state = network.state_dict()
        assert tensors.keys() == state.keys()
        assert all(torch.equal(tensors[name], state[name]) for name in state)


def test_images_and_logits_are_the_references(converted, networks):
    folder = converted(snapshot(*networks)).folder
    generator, d = Generator(SMALL), Discriminator(SMALL)
    generator.load_state_dict(load_tensors(folder / "g_ema.safetensors"))
    d.load_state_dict(load_tensors(folder / "d.safetensors"))
    with torch.inference_mode():
        images = generator(reference_latents())
        truncated = generator(reference_latents(), truncation_psi=0.7)
        logits = d(images.repeat(2, 1, 1, 1) / images.std())
    tiny = FACTS["tiny"]
    torch.testing.assert_close(sampled(images), torch.tensor(tiny["images"]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sampled(truncated), torch.tensor(tiny["truncated"]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits, torch.tensor(tiny["logits"]), rtol=1e-4, atol=1e-4)


def test_the_model_says_where_it_comes_from(converted, networks, tmp_path):
    conversion = converted(snapshot(*networks))
    info = read_model_info(conversion.folder)
    assert info.sha256 == conversion.info.sha256
    assert Architecture.from_dict(info.architecture) == SMALL
    assert (info.name, info.licence) == ("network-snapshot-000200", NVIDIA_LICENCE)
    assert info.lineage == [
        {
            "kind": "model",
            "sha256": sha256_file(tmp_path / "network-snapshot-000200.pkl"),
            "name": "network-snapshot-000200",
            "licence": NVIDIA_LICENCE,
            "source": UNKNOWN_FORK,
            "source_sha256": hashlib.sha256(SOURCE.encode()).hexdigest(),
        }
    ]
    other = converted(snapshot(*networks), name="Cats", licence="CC0-1.0")
    assert (other.info.name, other.info.licence) == ("Cats", "CC0-1.0")


def test_known_forks_are_named(converted, networks, monkeypatch):
    digest = hashlib.sha256(SOURCE.encode()).hexdigest()
    assert "not known here" in converted(snapshot(*networks)).notes[0]
    monkeypatch.setattr("engines.stylegan.convert.KNOWN_FORKS", {**KNOWN_FORKS, digest: "somebody/fork"})
    content = snapshot(*networks)
    content["G_ema"] = as_module(networks[0], "\ufeff" + SOURCE.replace("\n", "\r\n"))
    conversion = converted(content)
    assert conversion.info.lineage[0]["source"] == "somebody/fork"
    assert conversion.notes == ()


def test_altered_source_code_is_not_run(converted, networks, tmp_path):
    canary = tmp_path / "canary"
    content = snapshot(*networks)
    content["G_ema"] = as_module(networks[0], f"open({str(canary)!r}, 'w').close()\n{SOURCE}")
    conversion = converted(content)
    assert conversion.info.lineage[0]["source"] == UNKNOWN_FORK
    assert not canary.exists()


def test_images_can_be_made_and_training_can_start(converted, networks, tmp_path):
    folder = converted(snapshot(*networks)).folder
    assert Maker.load(folder).images([0, 1]).shape == (2, 32, 32, 3)
    config = TrainConfig(dataset=tmp_path, run_dir=tmp_path / "run", start=folder)
    state = TrainState.create(config, torch.float32)
    torch.testing.assert_close(state.d.state_dict(), networks[2].state_dict())


def test_frozen_layers_are_merged(converted, networks):
    content = snapshot(*networks)
    for path in ("b32.fromrgb", "b32.conv0", "b32.skip"):
        state = content["D"][path].state
        state["_buffers"].update((name, tensor.detach()) for name, tensor in state["_parameters"].items())
        state["_parameters"].clear()
    conversion = converted(content)
    tensors = load_tensors(conversion.folder / "d.safetensors")
    torch.testing.assert_close(tensors, networks[2].state_dict())


def test_half_precision_and_channels_last_are_read(converted, networks):
    content = snapshot(networks[0])
    parameters = content["G_ema"]["synthesis.b32.conv1"].state["_parameters"]
    weight = parameters["weight"].detach()
    parameters["weight"] = torch.nn.Parameter(weight.half().to(memory_format=torch.channels_last))
    tensors = load_tensors(converted(content).folder / "g_ema.safetensors")
    assert torch.equal(tensors["synthesis.b32.conv1.weight"], weight.half().float())


@pytest.mark.parametrize("name", FACTS["configurations"])
def test_published_configurations_fit_by_name_and_shape(name):
    facts = FACTS["configurations"][name]
    architecture = Architecture(z_dim=512, w_dim=512, **{size: facts[size] for size in PUBLISHED})
    kinds = {"G": Generator} if name == "cifar" else {"G": Generator, "D": Discriminator}
    for which, kind in kinds.items():
        with torch.device("meta"):
            network = kind(architecture)
        state = network.state_dict()
        lines = [f"{tensor} {'x'.join(map(str, state[tensor].shape))}" for tensor in sorted(state)]
        assert {
            "tensors": len(state),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        } == facts[which]
        if which == "G":
            derived = stylegan2_architecture(shapes_only(network))
            assert derived.mapping_layers == facts["mapping_layers"]
            sides = architecture.block_resolutions
            assert list(map(derived.channels, sides)) == list(map(architecture.channels, sides))


def test_what_differs_is_told(converted, networks):
    content = snapshot(*networks)
    content["G_ema"]["synthesis.b32.conv1"].state["conv_clamp"] = 256
    content["D"]["b4.mbstd"].state["group_size"] = 8
    notes = converted(content).notes
    assert any("cuts activations off" in note for note in notes)
    assert any("numbers of images in a batch" in note for note in notes)


def test_a_generator_alone_makes_images(converted, networks):
    conversion = converted({"G_ema": as_module(networks[0])})
    assert list(conversion.info.files) == ["g_ema.safetensors"]
    assert "cannot be trained on" in conversion.notes[-1]


def test_a_discriminator_of_another_architecture_is_left_out(converted, networks):
    content = snapshot(*networks)
    for side in (32, 16, 8):
        del content["D"][f"b{side}"].state["_modules"]["skip"]
    conversion = converted(content)
    assert "d.safetensors" not in conversion.info.files
    assert any("preset cifar" in note for note in conversion.notes)


# --- StyleGAN3


@pytest.mark.parametrize("kind", ["t", "r"])
def test_stylegan3_makes_the_references_images(converted, kind):
    network = fill(stylegan3.Generator(SMALL3[kind]))
    conversion = converted(snapshot(network, d=Discriminator(SMALL)))
    assert stylegan3.Architecture.from_dict(conversion.info.architecture) == SMALL3[kind]
    assert list(conversion.info.files) == ["g_ema.safetensors"]
    tensors = load_tensors(conversion.folder / "g_ema.safetensors")
    torch.testing.assert_close(tensors, network.state_dict(), rtol=0, atol=0)
    assert Maker.load(conversion.folder).images([3], truncation_psi=0.7).shape == (1, 32, 32, 3)


@pytest.mark.parametrize("name", REFERENCE["stylegan3"]["configurations"])
def test_published_configurations_of_stylegan3_are_recognised(name):
    facts = REFERENCE["stylegan3"]["configurations"][name]
    sizes = ("resolution", "conv_kernel", "radial_filters", "channel_base", "channel_max")
    architecture = stylegan3.Architecture(**{size: facts[size] for size in sizes})
    with torch.device("meta"):
        network = stylegan3.Generator(architecture)
    arrays = shapes_only(network)
    for plan in stylegan3.layer_plans(architecture)[:-1]:
        arrays[f"synthesis.{plan.name}.up_filter"] = plan.up_filter()
        arrays[f"synthesis.{plan.name}.down_filter"] = plan.down_filter()
    assert stylegan3_architecture(arrays) == architecture


def test_other_filters_than_stylegan3s_are_refused(converted):
    network = fill(stylegan3.Generator(SMALL3["t"]))
    network.synthesis.get_submodule(network.synthesis.layer_names[2]).up_filter[3] += 0.01
    with pytest.raises(ModelError, match="configurations T and R"):
        converted(snapshot(network))


@pytest.mark.parametrize(("name", "value"), [("output_scale", 1.0), ("conv_clamp", 16)])
def test_other_settings_than_stylegan3s_are_refused(converted, name, value):
    content = snapshot(stylegan3.Generator(SMALL3["t"]))
    content["G_ema"]["synthesis"].state[name] = value
    with pytest.raises(ModelError, match=name):
        converted(content)


# --- what cannot be converted


def rename(path, old, new):
    def change(content):
        parameters = content["G_ema"][path].state["_parameters"]
        parameters[new] = parameters.pop(old)

    return change


def replace(path, name, value, *, where="G_ema", group="_parameters"):
    def change(content):
        content[where][path].state[group][name] = value

    return change


def setting(path, name, value):
    def change(content):
        content["G_ema"][path].state[name] = value

    return change


def conditional(content):
    embedding = Module("FullyConnectedLayer")
    embedding.state["_parameters"]["weight"] = torch.zeros(24, 10)
    content["G_ema"]["mapping"].state["_modules"]["embed"] = embedding


def without_noise(content):
    for module in content["G_ema"]["synthesis"].state["_modules"].values():
        for layer in module.state["_modules"].values():
            layer.state["_parameters"].pop("noise_strength", None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content.pop("G_ema"), "no averaged generator"),
        (lambda content: content.update(G_ema=torch.zeros(2)), "no averaged generator"),
        (lambda content: content.update(G=torch.zeros(2)), "damaged"),
        (lambda content: content.update(D={"weights": 1}), "damaged"),
        (conditional, "trained with labels"),
        (without_noise, "without noise inputs"),
        (rename("synthesis.b8.conv0", "weight", "kernel"), "lacks tensor|unexpected tensor"),
        (rename("synthesis.b8.conv0", "weight", "we ight"), "damaged"),
        (replace("synthesis.b8.conv0", "extra", torch.zeros(1)), "unexpected tensor"),
        (replace("synthesis.b8.conv0", "weight", torch.zeros(20, 20, 3, 2)), "does not fit"),
        (replace("synthesis.b8.conv0", "bias", torch.zeros(20, dtype=torch.int64)), "does not fit"),
        (replace("synthesis.b8.conv0", "bias", {"a": 1}), "damaged"),
        (replace("synthesis.b8.conv0", "bias", torch.full((20,), torch.nan)), "not numbers"),
        (replace("synthesis.b8.conv0", "bias", torch.full((20,), 1e200, dtype=torch.float64)), "not numbers"),
        (replace("synthesis.b32.torgb", "bias", torch.full((3,), 3e38)), "images are not numbers"),
        (replace("b4.out", "bias", torch.full((1,), torch.inf), where="D"), "not numbers"),
        (replace("b8.conv0", "weight", torch.zeros(20, 19, 3, 3), where="D"), "does not fit"),
        (replace("synthesis.b4", "const", torch.zeros(20, 4, 8)), "4 x 4"),
        (replace("synthesis.b32.torgb", "weight", torch.zeros(1, 8, 1, 1)), "only RGB"),
        (replace("synthesis.b16.conv1", "weight", torch.zeros(3, 16, 3, 3)), "another rule"),
        (replace("mapping", "w_avg", torch.zeros(9000), group="_buffers"), "impossible shape"),
        (
            replace("synthesis.b32", "resample_filter", torch.ones(4, 4), group="_buffers"),
            "resamples with another filter",
        ),
        (setting("mapping.fc0", "activation", "relu"), "another activation"),
        (setting("mapping.fc0", "bias_gain", 1.0), "scales its mapping"),
    ],
)
def test_what_does_not_fit_is_refused(converted, networks, tmp_path, change, told):
    content = snapshot(*networks)
    change(content)
    with pytest.raises(ModelError, match=told):
        converted(content)
    assert not (tmp_path / "model").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_module_inside_itself_is_refused(tmp_path):
    """The pickle first builds a module, then adds it to the dictionary of its own parts."""

    def text(value):
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    meta = [("type", text("class")), ("class_name", text("Generator")), ("module_src", text(""))]
    meta.append(("state", b"}(" + text("_modules") + b"}q\x01u"))
    module = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}("
    module += b"".join(text(name) + value for name, value in meta) + b"u\x85Rq\x02"
    again = text("more") + b"h\x01" + text("again") + b"h\x02s"
    path = tmp_path / "cats.pkl"
    path.write_bytes(b"\x80\x02}(" + text("G_ema") + module + again + b"u.")
    with pytest.raises(ModelError, match="damaged"):
        convert(path, tmp_path / "model")


def test_sizes_that_are_claimed_take_no_memory(converted, networks):
    """A block of 8,192 pixels would have 256 MiB of noise alone."""
    content = snapshot(*networks)
    modules = content["G_ema"]["synthesis"].state["_modules"]
    modules["b8192"] = modules["b32"]
    with pytest.raises(ModelError, match="supported size"):
        converted(content)


# --- the command


def test_the_command_converts_and_the_others_go_on(networks, tmp_path, capsys):
    path = write(tmp_path / "cats.pkl", snapshot(*networks))
    model = tmp_path / "model"
    assert main(["convert", str(path), "--out", str(model), "--name", "Cats", "--trusted"]) == 0
    told = capsys.readouterr().out
    assert "stylegan2, 32 pixels" in told
    assert NVIDIA_LICENCE in told
    assert "not known here" in told
    assert main(["info", str(model)]) == 0
    assert "trained on   (not stated)" in capsys.readouterr().out
    assert main(["run", str(model), "--seeds", "0-1", "--out", str(tmp_path / "images")]) == 0
    assert len(list((tmp_path / "images").glob("*.png"))) == 2


def test_the_command_makes_images_with_stylegan3(tmp_path, capsys):
    path = write(tmp_path / "cats.pkl", snapshot(stylegan3.Generator(SMALL3["t"])))
    model = tmp_path / "model"
    assert main(["convert", str(path), "--out", str(model), "--trusted"]) == 0
    arguments = [
        "run",
        str(model),
        "--seeds",
        "0-1",
        "--truncation",
        "0.7",
        "--out",
        str(tmp_path / "images"),
    ]
    assert main(arguments) == 0
    assert len(list((tmp_path / "images").glob("*.png"))) == 2
    with pytest.raises(ModelError, match="no discriminator"):
        TrainState.create(TrainConfig(dataset=tmp_path, run_dir=tmp_path / "run", start=model), torch.float32)


def test_the_command_tells_mistakes_in_one_line(tmp_path, capsys):
    assert main(["convert", str(tmp_path / "none.pkl"), "--out", str(tmp_path / "model")]) == 1
    assert "There is no file" in capsys.readouterr().err
    weights = tmp_path / "model.pkl"
    weights.write_bytes((2).to_bytes(8, "little") + json.dumps({}).encode())
    assert main(["convert", str(weights), "--out", str(tmp_path / "model"), "--trusted"]) == 1
    assert "This is a safetensors file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [weights]
