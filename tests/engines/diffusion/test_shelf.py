"""LoRAs inside a base: read once, the least used goes first."""

import pytest
import torch

from engines.diffusion.lora import add_lora, lora_parameters, remove_lora
from engines.diffusion.lora_files import LoraInfo, save_lora
from engines.diffusion.shelf import LoraShelf
from engines.errors import ModelError


@pytest.fixture
def files(open_base, tmp_path):
    """Three LoRA files of the same size, and that size in the base."""
    base, paths = open_base("starter"), []
    for number in range(3):
        rng = torch.Generator().manual_seed(number)
        add_lora(base, "made", rank=2, layers="attention", text=False, rng=rng)
        tensors = {
            name: parameter.detach().clone() for name, parameter in lora_parameters(base, "made").items()
        }
        remove_lora(base, "made")
        paths.append(tmp_path / f"{number}.safetensors")
        save_lora(paths[-1], base, tensors, LoraInfo(title=str(number)))
    return paths, sum(tensor.nbytes for tensor in tensors.values())


def test_the_least_used_goes_first(open_base, files):
    paths, size = files
    base = open_base("starter")
    shelf = LoraShelf(base, capacity_bytes=2 * size)
    first, second = shelf.names(paths[:2])
    assert shelf.names(paths[:1]) == [first]
    [third] = shelf.names(paths[2:])
    assert shelf.size_bytes == 2 * size
    assert lora_parameters(base, first)
    assert lora_parameters(base, third)
    assert not lora_parameters(base, second)
    assert shelf.names([paths[0], paths[2], paths[0]]) == [first, third, first]
    shelf.clear()
    assert not any(lora_parameters(base, name) for name in (first, second, third))


def test_more_than_there_is_room_for_is_refused(open_base, files):
    paths, size = files
    shelf = LoraShelf(open_base("starter"), capacity_bytes=2 * size)
    with pytest.raises(ModelError, match="Use fewer at once"):
        shelf.names(paths)
    assert shelf.size_bytes == 0
