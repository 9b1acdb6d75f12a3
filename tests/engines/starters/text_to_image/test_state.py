"""State on disk survives a kill at any moment."""

import torch

from engines.starters.text_to_image.state import (
    load_state,
    optimizer_tensors,
    restore_optimizer,
    save_state,
)


def _save(folder, step):
    save_state(folder, {"model": {"weight": torch.full((3,), float(step))}}, {"step": step})


def test_round_trip_replaces_the_former_state(tmp_path):
    folder = tmp_path / "stage"
    assert load_state(folder) is None
    _save(folder, 1)
    _save(folder, 2)
    tensors, numbers = load_state(folder)
    assert numbers == {"step": 2}
    assert tensors["model"]["weight"].tolist() == [2.0] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]


def test_a_kill_while_writing_leaves_the_former_state(tmp_path):
    folder = tmp_path / "stage"
    _save(folder, 1)
    half_written = tmp_path / "stage.new"
    half_written.mkdir()
    (half_written / "model.safetensors").write_bytes(b"cut off")
    assert load_state(folder)[1] == {"step": 1}
    _save(folder, 2)
    assert load_state(folder)[1] == {"step": 2}


def test_a_kill_between_the_renames_leaves_the_new_state(tmp_path):
    folder = tmp_path / "stage"
    _save(folder, 1)
    folder.rename(tmp_path / "stage.old")
    _save(tmp_path / "other", 2)
    (tmp_path / "other").rename(tmp_path / "stage.new")
    assert load_state(folder)[1] == {"step": 2}


def test_an_optimizer_goes_on_as_if_nothing_had_happened():
    def steps(weight, optimizer, count):
        for _ in range(count):
            (weight**2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    whole = torch.nn.Parameter(torch.arange(3.0))
    optimizer = torch.optim.AdamW([whole], lr=0.1)
    steps(whole, optimizer, 2)
    resumed = torch.nn.Parameter(whole.detach().clone())
    other = torch.optim.AdamW([resumed], lr=0.1)
    restore_optimizer(other, {name: value.clone() for name, value in optimizer_tensors(optimizer).items()})
    steps(whole, optimizer, 2)
    steps(resumed, other, 2)
    assert torch.equal(whole, resumed)
