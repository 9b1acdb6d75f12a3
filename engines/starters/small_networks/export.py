"""Writing a trained network as a model folder: one ONNX file, its manifest, what is said about it.

The file is compared with the network it was made from before the folder appears.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.errors import ModelError
from engines.files import atomic_folder, sha256_file
from engines.manifest import FORMAT, MODEL_FILE
from engines.onnx.manifest import ONNX, WEIGHTS_FILE, parse_onnx_manifest
from engines.starters.small_networks import enlarge, identify
from engines.starters.small_networks.training import load_averaged
from engines.starters.text_to_image.sources import ICON_SET, list_sha256

OPSET = 18
TOLERANCE = 1e-3  # between what the file gives and what the network gave
STATS_FILE = "stats.json"

Lineage = Sequence[Mapping[str, Any]]

_SETS = {
    "noto_color": "Noto Emoji",
    "noto_line": "Noto Emoji, black",
    "blob": "Blobmoji",
    ICON_SET: "Phosphor Icons",
}


def lineage_of(images: Path) -> list[dict[str, Any]]:
    """What both networks were trained on, as model.json lists it. Raises MissingSource."""
    return [
        {
            "kind": "dataset",
            "sha256": list_sha256(images, name),
            "name": title,
            "licence": "mit" if name == ICON_SET else "apache-2.0",
        }
        for name, title in _SETS.items()
    ]


def export_identifier(out: Path, target: Path, *, lineage: Lineage, figures: Mapping[str, Any]) -> Path:
    """Write what `out` was trained to as the model folder `target`. Raises ModelError."""
    names = identify.class_names()
    network = load_averaged(identify.Identifier(len(names)), out)
    inputs = [
        {
            "name": "picture",
            "kind": "image",
            "label": "Drawing",
            "help": "An emoji, icon or line drawing of one thing; it has never seen a photograph.",
            "width": identify.SIDE,
            "height": identify.SIDE,
            "fit": "contain",
        }
    ]
    outputs = [
        {
            "name": "things",
            "kind": "labels",
            "label": "What it shows",
            "classes": list(names),
            "activation": "softmax",
            "top": 5,
        }
    ]
    example = torch.rand(1, 3, identify.SIDE, identify.SIDE, generator=torch.Generator().manual_seed(1))
    return _write(network, example, target, inputs, outputs, lineage=lineage, figures=figures)


def export_enlarger(out: Path, target: Path, *, lineage: Lineage, figures: Mapping[str, Any]) -> Path:
    """Write what `out` was trained to as the model folder `target`. Raises ModelError."""
    network = load_averaged(enlarge.Enlarger(), out)
    inputs = [
        {
            "name": "picture",
            "kind": "image",
            "label": "Picture",
            "help": "A photograph or drawing. What is longer than 1,024 pixels is made smaller first.",
            "max_side": 1024,
        }
    ]
    outputs = [{"name": "larger", "kind": "image", "label": "Twice as large"}]
    example = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    sides = {"picture": {2: "height", 3: "width"}, "larger": {2: "double_height", 3: "double_width"}}
    return _write(network, example, target, inputs, outputs, lineage=lineage, figures=figures, sides=sides)


def _write(
    network: nn.Module,
    example: Tensor,
    target: Path,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    *,
    lineage: Lineage,
    figures: Mapping[str, Any],
    sides: Mapping[str, Mapping[int, str]] | None = None,
) -> Path:
    with atomic_folder(target) as draft:
        path = draft / WEIGHTS_FILE
        with warnings.catch_warnings():
            # The tracing exporter is deprecated; the newer one brings another package.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (example,),
                str(path),
                input_names=[port["name"] for port in inputs],
                output_names=[port["name"] for port in outputs],
                dynamic_axes=sides,
                opset_version=OPSET,
                dynamo=False,
            )
        difference = compare(network, example, path)
        if difference > TOLERANCE:
            raise ModelError(f"The ONNX file differs from the network by {difference:.2g}. It was not kept.")
        manifest = {
            "format": FORMAT,
            "family": ONNX,
            "name": target.name,
            "licence": "apache-2.0",
            "inputs": inputs,
            "outputs": outputs,
            "parameters": {"network": sum(tensor.numel() for tensor in network.parameters())},
            "lineage": list(lineage),
            "files": {WEIGHTS_FILE: sha256_file(path)},
        }
        parse_onnx_manifest(manifest)
        (draft / MODEL_FILE).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
        stats = {"figures": figures, "onnx_difference": difference}
        (draft / STATS_FILE).write_text(json.dumps(stats, indent=2) + "\n")
        readme = target / "README.md"
        if readme.is_file():
            (draft / readme.name).write_bytes(readme.read_bytes())
    return target


def compare(network: nn.Module, example: Tensor, path: Path) -> float:
    """Return the largest difference between what the ONNX file and the network make of an example."""
    import onnxruntime  # noqa: PLC0415 - needed for this alone

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    with torch.inference_mode():
        return float((torch.from_numpy(made) - network(example)).abs().max())
