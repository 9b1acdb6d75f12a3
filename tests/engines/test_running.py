"""`python -m engines run` with models of every family that are no generators, and exports to ONNX."""

import numpy as np
import pytest
from PIL import Image

from engines.__main__ import main
from engines.diffusion.manifests import write_base_manifest
from engines.onnx.manifest import read_onnx_manifest
from engines.provenance import read
from tests.engines.onnx.networks import doubler, painter, write


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    from tests.engines.diffusion.tiny import make_base

    folder = make_base("starter", tmp_path_factory.mktemp("bases") / "starter")
    write_base_manifest(folder)
    return folder


def run(*arguments: object) -> int:
    return main(["run", *map(str, arguments)])


def test_an_onnx_model_takes_its_inputs_by_name(tmp_path, capsys):
    folder = write(
        tmp_path / "model",
        doubler(),
        [{"name": "picture", "kind": "image"}],
        [{"name": "larger", "kind": "image"}],
    )
    Image.new("RGB", (8, 6), "tan").save(tmp_path / "given.png")
    assert run(folder, "--input", f"picture={tmp_path / 'given.png'}", "--out", tmp_path / "out") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["larger.png"]
    with Image.open(tmp_path / "out" / "larger.png") as made:
        assert made.size == (16, 12)
    assert read(tmp_path / "out" / "larger.png") is not None
    assert run(folder, "--input", "nothing=1", "--out", tmp_path / "out") == 1
    assert "The names are: picture" in capsys.readouterr().err


def test_what_an_onnx_model_tells_is_printed_as_json(tmp_path, capsys):
    folder = write(
        tmp_path / "model",
        painter(),
        [{"name": "picture", "kind": "image", "width": 8, "height": 8}],
        [{"name": "colour", "kind": "labels", "classes": ["red", "green", "blue"]}],
    )
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "given.png")
    assert run(folder, "--input", f"picture={tmp_path / 'given.png'}", "--out", tmp_path / "out") == 0
    assert '"label": "red"' in capsys.readouterr().out


def test_a_base_wants_a_prompt_and_makes_pictures(base, tmp_path, capsys):
    assert run(base, "--out", tmp_path) == 1
    assert "--prompt" in capsys.readouterr().err
    made = ("--prompt", "a red cat", "--seeds", "5", "--size", "32", "--steps", "1", "--out", tmp_path)
    assert run(base, *made) == 0
    record = read(tmp_path / "seed000005.png")
    assert (record.prompt, record.settings["Seed"]) == ("a red cat", 5)


def test_a_lora_wants_its_base(base, tmp_path, capsys):
    from engines.diffusion.folders import fingerprint
    from engines.diffusion.manifests import LORA_FILE, LoraManifest, write_lora_manifest
    from tests.catalog.brought import tiny_starter_lora

    folder = tmp_path / "lora"
    folder.mkdir()
    (folder / LORA_FILE).write_bytes(tiny_starter_lora())
    write_lora_manifest(
        folder,
        LoraManifest(
            kind="starter",
            resolution=32,
            base_fingerprint=fingerprint(base),
            base_title="Starter",
            base_version="",
            keyword="mimochi",
            subject="",
            purpose="",
            name="mimochi",
            step=0,
        ),
    )
    made = ("--prompt", "mimochi", "--size", "32", "--steps", "1", "--out", tmp_path / "out")
    assert run(folder, *made) == 1
    assert "--base" in capsys.readouterr().err
    assert run(folder, "--base", base, *made) == 0
    assert (tmp_path / "out" / "seed000000.png").is_file()


@pytest.mark.parametrize("family", ["stylegan2", "stylegan3"])
def test_generators_are_exported_to_onnx_as_they_are(family, tmp_path, capsys):
    """Compared by the export itself; what it wrote is a model that the catalog takes."""
    import torch

    from engines.checkpoint import write_model
    from engines.manifest import ModelInfo
    from engines.stylegan import stylegan3
    from engines.stylegan.networks import Generator
    from tests.engines.stylegan.test_isolation import SMALL

    torch.manual_seed(0)
    if family == "stylegan2":
        network = Generator(SMALL)
    else:
        from tests.engines.stylegan.test_stylegan3 import TINY

        network = stylegan3.Generator(TINY["t"])
    for parameter in network.parameters():  # biases and strengths of noise begin at zero, and would hide
        parameter.data += 0.1 * torch.randn_like(parameter)
    folder = tmp_path / "model"
    folder.mkdir()
    info = ModelInfo(family=family, architecture=network.architecture.as_dict(), name="tiny")
    write_model(folder, info, {"g_ema.safetensors": network.state_dict()})
    assert main(["export", str(folder), "--out", str(tmp_path / "onnx")]) == 0
    difference = float(capsys.readouterr().out.partition("at most ")[2].split()[0])
    assert difference < 1e-3
    manifest = read_onnx_manifest(tmp_path / "onnx")
    assert [port.kind for port in manifest.inputs] == ["vector", "number"]
    assert np.isfinite(difference)
