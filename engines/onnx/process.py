"""The process that holds an ONNX model: it is asked on its standard input and answers in lines of JSON.

Only here are `onnx` and `onnxruntime` imported. `engines.onnx.run` starts it, times it and ends it.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnxruntime
from PIL import Image

from engines.errors import EngineError, ModelError
from engines.isolation import Confinement, confine
from engines.onnx import graph
from engines.onnx.manifest import WEIGHTS_FILE, OnnxManifest, parse_onnx_manifest
from engines.onnx.pictures import Frame, open_picture, png, to_tensor
from engines.onnx.ports import Input, check_value
from engines.onnx.results import tell

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
# What onnxruntime says when it gets no memory, in its own words and those of the C++ library.
_NO_MEMORY = ("bad_alloc", "Failed to allocate", "BFCArena", "Available memory")
TOO_MUCH_MEMORY = "It needs more memory than is allowed. Give it a smaller input, or choose a smaller model."


class Model:
    """An ONNX model that is loaded, with its manifest."""

    def __init__(self, folder: Path, manifest: OnnxManifest, *, max_bytes: int, threads: int) -> None:
        content, self.found = graph.check_file(folder / WEIGHTS_FILE, max_bytes)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            # From bytes, without a path: nothing beside the file can be meant by anything in it.
            self._session = onnxruntime.InferenceSession(
                content, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # whatever the library raises, the file is at fault
            raise _refusal("The network cannot be loaded", error) from error
        self._takes = {node.name: node for node in self._session.get_inputs()}
        self._manifest = manifest
        self._check_names()

    def _check_names(self) -> None:
        gives = {node.name for node in self._session.get_outputs()}
        pairs = (
            ("input", {port.name for port in self._manifest.inputs} ^ self._takes.keys()),
            ("output", {port.name for port in self._manifest.outputs} - gives),
        )
        for what, odd in pairs:
            if odd:
                names = ", ".join(sorted(odd))[:200]
                raise ModelError(
                    f"Manifest and network differ in their {what}s: {names}. Correct the manifest."
                )

    def run(self, values: Mapping[str, Any], out: str) -> dict[str, Any]:
        """Run the network once. Pictures are written to `out` + name + ".png". Raises ModelError."""
        feed, frame = self._feed(values)
        names = [port.name for port in self._manifest.outputs]
        began = time.perf_counter()
        try:
            tensors = self._session.run(names, feed)
        except Exception as error:
            raise _refusal("The model failed on this input", error) from error
        seconds = time.perf_counter() - began
        outputs = {
            port.name: tell(port, np.asarray(tensor), frame, out)
            for port, tensor in zip(self._manifest.outputs, tensors, strict=True)
        }
        return {"outputs": outputs, "seconds": seconds}

    def _feed(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], Frame | None]:
        """What the network is given, and where the first picture lies in it."""
        feed: dict[str, Any] = {}
        frame: Frame | None = None
        for port in self._manifest.inputs:
            value, node = check_value(port, values.get(port.name)), self._takes[port.name]
            dtype = _DTYPES.get(node.type)
            if dtype is None:
                raise ModelError(f"The input {port.name} wants {node.type}, which is not known here.")
            if port.kind == "image":
                tensor, placed = to_tensor(open_picture(Path(value)), port.picture)
                sides = tensor.shape[1:3] if port.picture.channels_last else tensor.shape[2:4]
                frame = frame or Frame(width=sides[1], height=sides[0], placed=placed)
                feed[port.name] = tensor.astype(dtype, copy=False)
            else:
                feed[port.name] = _small_tensor(port, value, dtype, len(node.shape))
        return feed, frame


def _small_tensor(port: Input, value: Any, dtype: Any, rank: int) -> Any:
    """A number, text, choice or vector in a tensor of so many dimensions."""
    if port.kind == "category" and dtype is not np.object_:
        value = port.choices.index(value)
    shape = [1] * rank
    if port.kind == "vector":
        shape = [*[1] * max(0, rank - 1), port.length]
    return np.asarray(value, dtype=dtype).reshape(shape)


def _refusal(what: str, error: Exception) -> ModelError:
    told = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(words in told for words in _NO_MEMORY):
        return ModelError(TOO_MUCH_MEMORY)
    return ModelError(f"{what}: {told[:300]}")


def _clean(request: Mapping[str, Any]) -> dict[str, Any]:
    """Write a stranger's picture anew: upright, RGB, bounded, without what came with it."""
    image = open_picture(Path(request["picture"]))
    Path(request["out"]).write_bytes(png(image))
    return {"width": image.width, "height": image.height}


def _answer(model: Model | None, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        if "picture" in request:
            return _clean(request)
        assert model is not None
        return model.run(request["values"], request["out"])
    except EngineError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": TOO_MUCH_MEMORY}


def _main() -> int:
    answers, questions = _lines()
    start = json.loads(questions.readline())
    confine(Confinement(**start["confinement"]))
    Image.MAX_IMAGE_PIXELS = None  # open_picture judges by its own limit before it decodes
    model, reply = None, {}
    try:
        if start["folder"]:
            manifest = parse_onnx_manifest(start["manifest"])
            model = Model(
                Path(start["folder"]), manifest, max_bytes=start["max_bytes"], threads=start["threads"]
            )
            reply = {
                "operators": model.found.operators,
                "parameters": model.found.parameters,
                "opset": model.found.opset,
                "inputs": model.found.inputs,
                "outputs": model.found.outputs,
            }
    except EngineError as error:
        reply = {"error": str(error)}
    except MemoryError:
        reply = {"error": TOO_MUCH_MEMORY}
    _say(answers, reply)
    for line in questions:
        _say(answers, _answer(model, json.loads(line)))
    return 0


def _lines() -> tuple[IO[str], IO[str]]:
    """Keep standard output for answers: what a library prints goes to the log."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers, sys.stdin


def _say(answers: IO[str], reply: Mapping[str, Any]) -> None:
    answers.write(json.dumps(reply) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(_main())
