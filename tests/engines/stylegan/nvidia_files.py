"""Snapshots in the format of StyleGAN2-ADA and StyleGAN3, written by PyTorch's and NumPy's own pickling.

Classes of the right names stand in for the original ones, so what is named in the file is what would be.
"""

import json
import pickle
import sys
import types
import zlib
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
SOURCE = "import torch\n\nclass Generator(torch.nn.Module):\n    pass\n"


class EasyDict(dict):
    pass


def _reconstruct_persistent_obj(meta):
    raise AssertionError("rebuilding would run the source code in the file")


for named, module_name in (
    (EasyDict, "dnnlib.util"),
    (_reconstruct_persistent_obj, "torch_utils.persistence"),
):
    named.__module__ = module_name
    named.__qualname__ = named.__name__


@contextmanager
def originals():
    """The originals' modules can be imported, as pickling by name demands."""
    modules = {
        name: types.ModuleType(name)
        for name in ("dnnlib", "dnnlib.util", "torch_utils", "torch_utils.persistence")
    }
    modules["dnnlib.util"].EasyDict = EasyDict
    modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


class Module:
    """A persistent module as the originals save it: its source, its class and its dictionary."""

    def __init__(self, class_name="Generator", source=SOURCE, **state):
        self.class_name = class_name
        self.source = source
        self.state = {
            "training": False,
            "_parameters": OrderedDict(),
            "_buffers": OrderedDict(),
            "_non_persistent_buffers_set": set(),
            "_backward_hooks": OrderedDict(),
            "_modules": OrderedDict(),
            "_init_args": (),
            "_init_kwargs": EasyDict(mapping_kwargs=EasyDict(num_layers=2)),
            **state,
        }

    def __reduce__(self):
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": self.class_name,
            "state": self.state,
        }
        return _reconstruct_persistent_obj, (meta,), None

    def __getitem__(self, path):
        """The module at a dotted path."""
        module = self
        for name in path.split("."):
            module = module.state["_modules"][name]
        return module


def as_module(network, source=SOURCE, **state):
    """One of our networks with its tensors, as the originals would save theirs."""
    module = Module(type(network).__name__, source, **state)
    module.state["_parameters"].update(network._parameters)
    module.state["_buffers"].update(network._buffers)
    module.state["_modules"].update(
        {name: as_module(child, source) for name, child in network.named_children()}
    )
    if type(network).__name__ == "FullyConnected":
        module.state.update(
            activation="lrelu" if network.activate else "linear",
            weight_gain=network.lr_multiplier / np.sqrt(network.weight.shape[1]),  # NumPy's float64
            bias_gain=network.lr_multiplier,
        )
    if type(network).__name__ == "Input":
        module.state["size"] = np.broadcast_to(np.asarray(36), [2])
    return module


def snapshot(g_ema, g=None, d=None, **more):
    """The dictionary that the training saves."""
    modules = {
        "G": as_module(g or g_ema),
        "G_ema": as_module(g_ema),
        "D": None if d is None else as_module(d),
    }
    if d is not None:
        modules["D"]["b4"].state["_modules"]["mbstd"] = Module(
            "MinibatchStdLayer", group_size=4, num_channels=1
        )
    settings = EasyDict(class_name="training.dataset.ImageFolderDataset", path="/data/cats.zip")
    return {**modules, "augment_pipe": None, "training_set_kwargs": settings, **more}


def dumps(content, protocol=4):
    with originals():
        return pickle.dumps(content, protocol=protocol)


def write(path, content, protocol=4):
    path.write_bytes(dumps(content, protocol))
    return path


def fill(network):
    """Give every tensor the numbers that the reference numbers in reference.json were computed with."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("filter", "transform")):
                continue
            rng = np.random.RandomState(zlib.crc32(name.encode()))
            values = rng.standard_normal(tuple(tensor.shape))
            if name.endswith("noise_strength"):
                values = values * 0.1
            if name.endswith("magnitude_ema"):
                values = 0.5 + np.abs(values)
            if name.startswith("mapping.fc") and name.endswith("weight"):
                values = values * 100
            if name.endswith("affine.bias") and not name.startswith("synthesis.input"):
                values = values * 0.1 + 1
            tensor.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))
    return network


def reference_latents():
    return torch.from_numpy(np.random.RandomState(1).standard_normal((2, 16)).astype(np.float32))


def sampled(images):
    """The pixels that reference.json keeps."""
    return images[:, :, 5::13, 3::17].flatten(1)
