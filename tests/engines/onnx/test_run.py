"""ONNX models in their process: what comes out, what is refused, what is ended."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from engines.errors import ModelError
from engines.onnx.graph import check_file
from engines.onnx.run import DIED, TOO_LONG, Limits, OnnxModel
from tests.engines.onnx import networks

PICTURE = {"name": "x", "kind": "image", "width": 8, "height": 8}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "given.png"
    Image.new("RGB", (30, 20), (250, 20, 20)).save(path)
    return path


def refusal(folder: Path, max_bytes: int = 1 << 20) -> str:
    """Why a file is not loaded; looked at here, since a process for each would take seconds."""
    with pytest.raises(ModelError) as caught:
        check_file(folder / "model.onnx", max_bytes)
    return str(caught.value)


def test_a_picture_goes_in_and_comes_out(tmp_path, picture):
    with OnnxModel(networks.write_doubler(tmp_path / "model")) as model:
        found = model.load()
        result = model.run({"picture": picture}, out=tmp_path)
    assert found["operators"] == ["Resize"]
    assert result.outputs["larger"]["width"], result.outputs["larger"]["height"] == (60, 40)
    with Image.open(tmp_path / "larger.png") as made:
        assert made.size == (60, 40)
        assert made.getpixel((30, 20)) == (250, 20, 20)
    assert result.seconds > 0


def test_labels_have_names_and_scores_the_best_first(tmp_path, picture):
    with OnnxModel(networks.write_painter(tmp_path / "model")) as model:
        labels = model.run({"picture": picture}, out=tmp_path).outputs["colour"]
    assert [one["label"] for one in labels] == ["red", "green"]
    assert labels[0]["score"] == pytest.approx(250 / 255, abs=1e-3)


def test_a_bad_picture_costs_no_other(tmp_path, picture):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with OnnxModel(networks.write_doubler(tmp_path / "model")) as model:
        with pytest.raises(ModelError, match="cannot be read"):
            model.run({"picture": tmp_path / "bad.png"}, out=tmp_path)
        assert model.run({"picture": picture}, out=tmp_path).outputs["larger"]["width"] == 60


def test_numbers_texts_choices_and_vectors_reach_the_network(tmp_path):
    nodes = [
        helper.make_node("Mul", ["number", "vector"], ["scaled"]),
        helper.make_node("Cast", ["choice"], ["chosen"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["scaled", "chosen"], ["sum"]),
    ]
    model = networks.network(nodes, [("number", [1]), ("vector", [1, 3]), ("choice", [1])], [("sum", [1, 3])])
    model.graph.input[2].type.tensor_type.elem_type = TensorProto.INT64
    inputs = [
        {"name": "number", "kind": "number", "default": 2},
        {"name": "vector", "kind": "vector", "length": 3},
        {"name": "choice", "kind": "category", "choices": ["none", "ten", "twenty"], "default": "none"},
    ]
    folder = networks.write(tmp_path / "model", model, inputs, [{"name": "sum", "kind": "vector"}])
    with OnnxModel(folder) as running:
        result = running.run({"vector": [1, 2, 3], "choice": "twenty"}, out=tmp_path)
        assert result.outputs["sum"] == [4.0, 6.0, 8.0]
        with pytest.raises(ModelError, match="vector"):
            running.run({}, out=tmp_path)


def test_boxes_lie_on_the_picture_that_went_in(tmp_path, picture):
    """The picture of 30 x 20 has margins above and below in the 8 x 8 that the network sees."""
    rows = np.array([[0, 1.3333, 4, 4, 0.9, 1], [0, 0, 8, 8, 0.1, 0]], np.float32)
    boxes = helper.make_tensor("rows", TensorProto.FLOAT, [2, 6], rows.flatten().tolist())
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "nothing"], ["none"]),
        helper.make_node("Add", ["rows", "none"], ["boxes"]),
    ]
    nothing = helper.make_tensor("nothing", TensorProto.FLOAT, [], [0])
    model = networks.network(nodes, [("x", [1, 3, 8, 8])], [("boxes", [2, 6])], [boxes, nothing])
    outputs = [{"name": "boxes", "kind": "boxes", "classes": ["cat", "dog"], "threshold": 0.5}]
    folder = networks.write(tmp_path / "model", model, [PICTURE], outputs)
    with OnnxModel(folder) as running:
        (box,) = running.run({"x": picture}, out=tmp_path).outputs["boxes"]
    assert (box["label"], box["score"]) == ("dog", 0.9)
    assert box["box"] == pytest.approx([0, 0.0625, 0.5, 0.5625], abs=0.07)


def test_an_operator_of_another_domain_is_refused(tmp_path):
    node = helper.make_node("Evil", ["x"], ["y"], domain="com.example")
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)]
    model = networks.network([node], [("x", [1, 3, 8, 8])], [("y", [1])], opset_imports=opsets)
    folder = networks.write(tmp_path / "model", model, [PICTURE], [{"name": "y", "kind": "json"}])
    assert "com.example" in refusal(folder)


def test_data_in_another_file_are_refused(tmp_path):
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [1], [1.0])
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    node = helper.make_node("Mul", ["x", "weight"], ["y"])
    model = networks.network([node], [("x", [1, 3, 8, 8])], [("y", [1, 3, 8, 8])], [weight])
    folder = networks.write(tmp_path / "model", model, [PICTURE], [{"name": "y", "kind": "json"}])
    assert "single file only" in refusal(folder)


def test_loops_are_refused(tmp_path):
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"])], "body", [], [])
    node = helper.make_node("Loop", ["", "x"], ["y"], body=body)
    model = networks.network([node], [("x", [1])], [("y", [1])])
    folder = networks.write(
        tmp_path / "model", model, [{"name": "x", "kind": "number"}], [{"name": "y", "kind": "json"}]
    )
    assert "Loop" in refusal(folder)


def test_functions_of_its_own_are_refused(tmp_path):
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 18)]
    )
    model = networks.network(
        [helper.make_node("Identity", ["x"], ["y"])], [("x", [1])], [("y", [1])], functions=[function]
    )
    folder = networks.write(
        tmp_path / "model", model, [{"name": "x", "kind": "number"}], [{"name": "y", "kind": "json"}]
    )
    assert "functions" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"MZ\x90", os.urandom(5000)])
def test_what_is_no_onnx_is_refused(tmp_path, content):
    folder = networks.write(tmp_path / "model", content, [PICTURE], [{"name": "y", "kind": "json"}])
    assert refusal(folder)


def test_a_file_over_the_limit_is_not_read(tmp_path):
    assert "at most" in refusal(networks.write_doubler(tmp_path / "model"), max_bytes=10)


def test_manifest_and_network_have_to_agree(tmp_path):
    outputs = [{"name": "larger", "kind": "image"}]
    folder = networks.write(tmp_path / "model", networks.doubler(), [PICTURE], outputs)
    with OnnxModel(folder) as model, pytest.raises(ModelError, match="inputs"):
        model.load()


def test_what_the_file_breaks_is_told_by_the_process(tmp_path):
    folder = networks.write(tmp_path / "model", b"MZ", [PICTURE], [{"name": "y", "kind": "json"}])
    with OnnxModel(folder) as model, pytest.raises(ModelError, match="not an ONNX file"):
        model.load()


def expander(tmp_path: Path) -> Path:
    """Asks for `size` numbers."""
    node = helper.make_node("Expand", ["one", "size"], ["many"])
    total = helper.make_node("ReduceSum", ["many"], ["y"], keepdims=0)
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    model = networks.network([node, total], [("size", [1])], [("y", [])], [one])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return networks.write(
        tmp_path / "model",
        model,
        [{"name": "size", "kind": "number", "step": 1}],
        [{"name": "y", "kind": "number"}],
    )


def test_more_memory_than_allowed_ends_that_input_alone(tmp_path):
    limits = Limits(memory_bytes=1 << 30)
    with OnnxModel(expander(tmp_path), limits=limits) as model:
        with pytest.raises(ModelError, match="more"):
            model.run({"size": 4 << 30}, out=tmp_path)
        assert model.run({"size": 10}, out=tmp_path).outputs["y"] == 10


def test_a_model_that_takes_too_long_is_ended(tmp_path):
    """Multiplies a matrix of 8,000 x 8,000 with itself again and again: minutes of a processor."""
    nodes = [helper.make_node("Expand", ["size", "shape"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{n}", f"m{n}"], [f"m{n + 1}"]) for n in range(50)]
    nodes.append(helper.make_node("ReduceMean", ["m50"], ["y"], keepdims=0))
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [8000, 8000])
    model = networks.network(nodes, [("size", [1])], [("y", [])], [shape])
    folder = networks.write(
        tmp_path / "model", model, [{"name": "size", "kind": "number"}], [{"name": "y", "kind": "number"}]
    )
    with OnnxModel(folder, limits=Limits(run_seconds=0.5)) as running:
        running.load()
        with pytest.raises(ModelError) as caught:
            running.run({"size": 1.0}, out=tmp_path)
    assert str(caught.value) in (TOO_LONG, DIED)


def test_infinite_numbers_are_no_result(tmp_path):
    node = helper.make_node("Log", ["x"], ["y"])
    folder = networks.write(
        tmp_path / "model",
        networks.network([node], [("x", [1])], [("y", [1])]),
        [{"name": "x", "kind": "number", "default": 0}],
        [{"name": "y", "kind": "number"}],
    )
    with OnnxModel(folder) as model, pytest.raises(ModelError, match="no number"):
        model.run({}, out=tmp_path)


def test_the_process_knows_no_secrets_and_whoever_asks_loads_no_onnx(tmp_path):
    folder = networks.write_painter(tmp_path / "model")
    code = (
        "import sys; from pathlib import Path; from engines.onnx.run import OnnxModel\n"
        "with OnnxModel(Path(sys.argv[1])) as model:\n"
        "    model.load()\n"
        "    environment = Path(f'/proc/{model._process.pid}/environ').read_text()\n"
        "assert 'SECRET_CANARY' not in environment, environment\n"
        "heavy = {'onnx', 'onnxruntime', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {**os.environ, "SECRET_CANARY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
