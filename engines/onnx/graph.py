"""Looking at an ONNX file before anything of it is run. Imports `onnx`: done in the process with limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from engines.errors import ModelError

_STANDARD = ("", "ai.onnx")
# Standard operators that may run without end, or ask for what is not in the file.
_REFUSED = {"Loop", "Scan", "SequenceMap", "ImageDecoder"}
_MAX_NODES = 100_000
_MAX_DEPTH = 8


@dataclass(frozen=True, kw_only=True)
class Found:
    """What stands in an ONNX file: its operators, how many numbers it holds, what it takes and gives."""

    operators: tuple[str, ...]
    parameters: int
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def check_file(path: Path, max_bytes: int) -> tuple[bytes, Found]:
    """Read an ONNX file and return its bytes and what it holds, judged by a list of what is allowed.

    Only operators of the standard's own domain are taken, none that loops, no functions of the file's own,
    no data outside the file. Raises ModelError with the reason.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise ModelError(
            f"The file has {size >> 20} MB and at most {max_bytes >> 20} MB are taken. Bring a smaller model."
        )
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own, which the library hands through
        raise ModelError("This is not an ONNX file. Export the model again.") from error
    _check_model(model)
    graphs = list(_graphs(model.graph))
    tensors = [tensor for graph in graphs for tensor in _tensors(graph)]
    if any(tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        raise ModelError(
            "Its weights lie in another file, and a model is a single file only. Export it whole."
        )
    operators = _check_operators(graphs)
    held = {tensor.name for tensor in model.graph.initializer}
    return content, Found(
        operators=operators,
        parameters=sum(_size(tensor) for graph in graphs for tensor in graph.initializer),
        opset=max(one.version for one in model.opset_import if one.domain in _STANDARD),
        inputs=tuple(one.name for one in model.graph.input if one.name not in held),
        outputs=tuple(one.name for one in model.graph.output),
    )


def _check_model(model: ModelProto) -> None:
    if not model.graph.node:
        raise ModelError("This ONNX file holds no network. Export the model again.")
    if model.functions:
        raise ModelError(
            "It brings functions of its own. Export it with its functions written out (inlined)."
        )
    foreign = sorted({one.domain for one in model.opset_import} - set(_STANDARD))
    # Exporters name domains that they do not use; what counts is what stands in the graph.
    if not any(one.domain in _STANDARD for one in model.opset_import):
        raise ModelError(
            f"It is written for {', '.join(foreign)[:100] or 'nothing known'}. Export it for ai.onnx."
        )


def _check_operators(graphs: Iterable[GraphProto]) -> tuple[str, ...]:
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain in _STANDARD}
    names = set[str]()
    count = 0
    for graph in graphs:
        for node in graph.node:
            count += 1
            if node.domain not in _STANDARD:
                raise ModelError(
                    f"It uses the operator {node.op_type[:60]} of {node.domain[:60]}. Only those of the "
                    "standard itself (ai.onnx) are run here: export it with those."
                )
            if node.op_type not in known:
                raise ModelError(f"The operator {node.op_type[:60]} is not in the standard. Export it anew.")
            if node.op_type in _REFUSED:
                raise ModelError(
                    f"It uses {node.op_type}, which may run without end. Export it without loops (unrolled)."
                )
            names.add(node.op_type)
    if count > _MAX_NODES:
        raise ModelError(
            f"It has {count} steps, and at most {_MAX_NODES} are run here. Bring a smaller model."
        )
    return tuple(sorted(names))


def _graphs(graph: GraphProto, depth: int = 0) -> Iterator[GraphProto]:
    """Yield a graph and those inside it (the branches of an If). Raises ModelError below a sensible depth."""
    if depth > _MAX_DEPTH:
        raise ModelError("Its branches lie too deep in each other. Export it without nested branches.")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
            for one in inner:
                yield from _graphs(one, depth + 1)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def _size(tensor: TensorProto) -> int:
    count = 1
    for side in tensor.dims:
        count *= side
    return count
