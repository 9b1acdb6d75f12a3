import json

import pytest
import torch

from engines.checkpoint import (
    Checkpoint,
    all_finite,
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    save_tensors,
    write_model,
)
from engines.errors import ModelError
from engines.files import sha256_file
from engines.manifest import GENERATOR_FILE, STYLEGAN2, ModelInfo, read_model_info, verify_files


def checkpoint(value):
    return Checkpoint({"g": {"b.weight": torch.full((2, 3), value), "a": torch.tensor(value)}}, {"step": 3})


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    save_checkpoint(tmp_path, 3, checkpoint(1.5))
    loaded = load_checkpoint(tmp_path)
    assert loaded.values == {"step": 3}
    assert loaded.groups["g"].keys() == {"a", "b.weight"}
    assert torch.equal(loaded.groups["g"]["b.weight"], torch.full((2, 3), 1.5))


def test_only_the_newest_is_kept(tmp_path):
    for step in (3, 10, 200):
        save_checkpoint(tmp_path, step, checkpoint(float(step)))
    assert [path.name for path in tmp_path.iterdir()] == ["000200"]
    assert load_checkpoint(tmp_path).groups["g"]["a"] == 200.0


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "nowhere") is None
    assert load_checkpoint(tmp_path) is None


def test_what_a_kill_left_behind_is_passed_over(tmp_path):
    """Between writing the new one and dropping the old one; and a draft that never got its name."""
    save_checkpoint(tmp_path / "a", 7, checkpoint(7.0))
    save_checkpoint(tmp_path / "b", 8, checkpoint(8.0))
    (tmp_path / "b" / "000008").rename(tmp_path / "a" / "000008")
    (tmp_path / "a" / ".000009.xyz.part").mkdir()
    (tmp_path / "a" / "000008" / "g.safetensors").write_bytes(b"torn")
    assert load_checkpoint(tmp_path / "a").groups["g"]["a"] == 7.0
    save_checkpoint(tmp_path / "a", 9, checkpoint(9.0))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["000009"]


def test_a_failure_while_saving_keeps_the_old_one(tmp_path):
    save_checkpoint(tmp_path, 3, checkpoint(3.0))
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path, 4, Checkpoint(checkpoint(4.0).groups, {"step": object()}))
    assert load_checkpoint(tmp_path).values == {"step": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["000003"]


def test_equal_tensors_give_equal_bytes(tmp_path):
    tensors = {"b": torch.ones(4, 3).t(), "a": torch.zeros(2)}
    save_tensors(tmp_path / "first", tensors)
    save_tensors(tmp_path / "second", dict(reversed(tensors.items())))
    assert sha256_file(tmp_path / "first") == sha256_file(tmp_path / "second")
    assert torch.equal(load_tensors(tmp_path / "first")["b"], torch.ones(3, 4))


def test_damaged_tensors_are_named(tmp_path):
    (tmp_path / "torn.safetensors").write_bytes(b"\x10")
    with pytest.raises(ModelError, match=r"torn\.safetensors cannot be read"):
        load_tensors(tmp_path / "torn.safetensors")


def test_half_precision_files_are_read_as_float32(tmp_path):
    save_tensors(tmp_path / "half", {"a": torch.ones(2, dtype=torch.float16)})
    assert load_tensors(tmp_path / "half")["a"].dtype == torch.float32


def test_finiteness():
    assert all_finite({"a": torch.ones(2)})
    assert not all_finite({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])})


@pytest.fixture
def model(tmp_path):
    info = ModelInfo(
        family=STYLEGAN2, architecture={"resolution": 64}, name="Faces", lineage=({"kind": "dataset"},)
    )
    return write_model(tmp_path, info, {GENERATOR_FILE: {"a": torch.ones(3)}})


def test_a_model_folder_tells_what_was_written(model, tmp_path):
    info = read_model_info(tmp_path)
    assert info.sha256 == model.sha256 == sha256_file(tmp_path / GENERATOR_FILE)
    assert (info.name, info.resolution, info.family) == ("Faces", 64, STYLEGAN2)
    assert list(info.lineage) == [{"kind": "dataset"}]
    verify_files(tmp_path, info)


def test_missing_and_changed_files_are_noticed(model, tmp_path):
    (tmp_path / GENERATOR_FILE).write_bytes(b"other")
    with pytest.raises(ModelError, match="damaged"):
        verify_files(tmp_path, model)
    (tmp_path / GENERATOR_FILE).unlink()
    with pytest.raises(ModelError, match="is missing"):
        verify_files(tmp_path, model)


def test_file_names_cannot_lead_outside(model, tmp_path):
    values = json.loads((tmp_path / "model.json").read_text())
    values["files"]["../secret"] = "0" * 64
    (tmp_path / "model.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="incomplete"):
        verify_files(tmp_path, read_model_info(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"family": "stylegan2", "architecture": {}}',
        '{"family": "stylegan2", "architecture": []}',
    ],
)
def test_what_is_no_model_folder_is_refused(tmp_path, content):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ModelError, match="not a model folder"):
        read_model_info(tmp_path)


def test_other_families_are_refused(model, tmp_path):
    values = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(values | {"family": "diffusion"}))
    with pytest.raises(ModelError, match="cannot read"):
        read_model_info(tmp_path)
