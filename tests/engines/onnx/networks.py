"""Tiny ONNX models for tests, made with onnx's own helpers: model.onnx and model.json in a folder."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, helper

FLOAT = TensorProto.FLOAT


def network(
    nodes: Sequence[NodeProto],
    inputs: Sequence[tuple[str, Sequence[int | str]]],
    outputs: Sequence[tuple[str, Sequence[int | str]]],
    constants: Sequence[TensorProto] = (),
    **options: Any,
) -> ModelProto:
    """A model of float inputs and outputs, given by name and shape."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, FLOAT, list(shape)) for name, shape in inputs],
        [helper.make_tensor_value_info(name, FLOAT, list(shape)) for name, shape in outputs],
        list(constants),
    )
    opsets = options.pop("opset_imports", [helper.make_opsetid("", 18)])
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **options)


def doubler() -> ModelProto:
    """Doubles a picture's sides by repeating every pixel."""
    scales = helper.make_tensor("scales", FLOAT, [4], [1, 1, 2, 2])
    node = helper.make_node("Resize", ["picture", "", "scales"], ["larger"], mode="nearest")
    return network([node], [("picture", [1, 3, "h", "w"])], [("larger", [1, 3, "a", "b"])], [scales])


def painter() -> ModelProto:
    """Tells a picture's mean colour apart: red, green or blue."""
    node = helper.make_node("ReduceMean", ["picture", "axes"], ["colour"], keepdims=0)
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    return network([node], [("picture", [1, 3, 8, 8])], [("colour", [1, 3])], [axes])


def write(
    folder: Path, model: ModelProto | bytes, inputs: list[Any], outputs: list[Any], **more: Any
) -> Path:
    """Write a model folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = model if isinstance(model, bytes) else model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    manifest = {
        "format": 1,
        "family": "onnx",
        "inputs": inputs,
        "outputs": outputs,
        "files": {"model.onnx": hashlib.sha256(content).hexdigest()},
        **more,
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def write_doubler(folder: Path) -> Path:
    """The folder of `doubler`."""
    return write(
        folder,
        doubler(),
        [{"name": "picture", "kind": "image", "label": "Picture", "max_side": 64}],
        [{"name": "larger", "kind": "image", "label": "Larger"}],
    )


def write_painter(folder: Path) -> Path:
    """The folder of `painter`."""
    return write(
        folder,
        painter(),
        [{"name": "picture", "kind": "image", "width": 8, "height": 8, "fit": "stretch"}],
        [
            {
                "name": "colour",
                "kind": "labels",
                "classes": ["red", "green", "blue"],
                "activation": "none",
                "top": 2,
            }
        ],
    )
