"""What an ONNX manifest may say, and how it is told what is wrong."""

import json

import pytest

from engines.errors import ModelError
from engines.onnx.manifest import (
    ManifestError,
    parse_inputs,
    parse_onnx_manifest,
    parse_outputs,
    read_onnx_manifest,
)
from engines.onnx.ports import ValueRefusedError, check_value

WHOLE = {
    "format": 1,
    "family": "onnx",
    "files": {"model.onnx": "0" * 64},
    "inputs": [{"name": "picture", "kind": "image"}],
    "outputs": [{"name": "scores", "kind": "labels", "classes": ["cat", "dog"]}],
}


def test_a_whole_manifest_is_read(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(WHOLE))
    manifest = read_onnx_manifest(tmp_path)
    assert manifest.inputs[0].kind == "image"
    assert manifest.outputs[0].classes == ("cat", "dog")
    assert manifest.content == WHOLE


@pytest.mark.parametrize("text", ["", "[", "7", "[" * 100_000])
def test_what_is_no_object_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelError):
        read_onnx_manifest(tmp_path)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"format": 2}, "format"),
        ({"family": "stylegan2"}, "family"),
        ({"files": {}}, "files"),
        ({"files": {"model.onnx": "0", "weights.bin": "0"}}, "files"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "picture"}, "inputs"),
        ({"outputs": [{"name": "a", "kind": "sound"}]}, "outputs[0].kind"),
        ({"outputs": [{"name": "a", "kind": "labels"}]}, "outputs[0].classes"),
        ({"outputs": [{"name": "a", "kind": "text"}, {"name": "a", "kind": "text"}]}, "outputs[1].name"),
    ],
)
def test_what_is_wrong_is_named(changed, field):
    with pytest.raises(ManifestError) as caught:
        parse_onnx_manifest({**WHOLE, **changed})
    assert caught.value.field == field
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "number", "min": 3, "max": 1}, "min"),
        ({"kind": "number", "min": "1"}, "min"),
        ({"kind": "number", "min": True}, "min"),
        ({"kind": "number", "step": 0}, "step"),
        ({"kind": "number", "min": 0, "max": 1, "default": 2}, "default"),
        ({"kind": "number", "step": 1, "default": 0.5}, "default"),
        ({"kind": "category"}, "choices"),
        ({"kind": "category", "choices": ["a", "a"]}, "choices"),
        ({"kind": "category", "choices": ["a"], "default": "b"}, "default"),
        ({"kind": "vector"}, "length"),
        ({"kind": "vector", "length": 2, "default": [1]}, "default"),
        ({"kind": "image", "width": 64}, "height"),
        ({"kind": "image", "channels": 2}, "channels"),
        ({"kind": "image", "std": [0]}, "std"),
        ({"kind": "image", "mean": [0.5, 0.5]}, "mean"),
        ({"kind": "image", "max_side": 10**9}, "max_side"),
        ({"kind": "text", "choices": ["a"]}, "choices"),
        ({"kind": "text", "label": "two\nlines"}, "label"),
    ],
)
def test_an_input_that_cannot_be_names_its_field(given, field):
    with pytest.raises(ManifestError) as caught:
        parse_inputs([{"name": "thing", **given}])
    assert caught.value.field == f"inputs[0].{field}"


def test_boxes_have_a_threshold_and_a_scale():
    (port,) = parse_outputs([{"name": "boxes", "kind": "boxes", "classes": ["cat"], "threshold": 0.5}])
    assert port.threshold == 0.5
    assert not port.fractions


@pytest.mark.parametrize(
    ("port", "good", "bad"),
    [
        ({"kind": "number", "min": 0, "max": 1}, 0.5, [2, -1, float("nan"), "1", True]),
        ({"kind": "number", "step": 1, "min": 0}, 3, [0.5, -1]),
        ({"kind": "text", "max": 3}, "abc", ["abcd", 3, "a\0"]),
        ({"kind": "vector", "length": 2, "max": 1}, [0.0, 1.0], [[1], [0, 2], "ab", None]),
        ({"kind": "category", "choices": ["a", "b"]}, "b", ["c", 1]),
    ],
)
def test_values_are_judged_by_their_input(port, good, bad):
    (port,) = parse_inputs([{"name": "thing", "label": "Thing", **port}])
    assert check_value(port, good) == good
    for value in bad:
        with pytest.raises(ValueRefusedError, match="Thing") as caught:
            check_value(port, value)
        assert caught.value.input == "thing"


def test_nothing_said_stands_for_the_default():
    (port,) = parse_inputs([{"name": "thing", "kind": "number", "default": 4}])
    assert check_value(port, None) == 4
