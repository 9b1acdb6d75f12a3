"""Tiny bases of all families, made once; nothing may ask the network."""

import os

import pytest
import torch

os.environ["HF_HUB_OFFLINE"] = "1"

from engines.diffusion.base import Base
from tests.engines.diffusion.tiny import FAMILIES, make_base


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def base_folders(tmp_path_factory):
    """A function: family -> folder of its tiny base."""
    made = {}

    def folder(family):
        if family not in made:
            made[family] = make_base(family, tmp_path_factory.mktemp("bases") / family)
        return made[family]

    return folder


@pytest.fixture(scope="session")
def open_base(base_folders):
    """A function: family -> its tiny base, loaded once; tests leave no adapters in it."""
    opened = {}

    def base(family):
        if family not in opened:
            opened[family] = Base.open(base_folders(family))
        return opened[family]

    return base


@pytest.fixture(params=FAMILIES)
def family(request):
    """Each family's name in turn."""
    return request.param
