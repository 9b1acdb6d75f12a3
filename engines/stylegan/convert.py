"""From a `.pkl` of StyleGAN2-ADA or StyleGAN3 to a model folder, without running anything of the file.

`convert` trusts its own reading of the file; `engines.stylegan.isolation` runs it in a process with limits,
for files of strangers.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from engines import hardware
from engines.checkpoint import all_finite, write_model
from engines.errors import ModelError
from engines.files import atomic_folder, sha256_file
from engines.manifest import DISCRIMINATOR_FILE, GENERATOR_FILE, STYLEGAN2, STYLEGAN3, ModelInfo
from engines.stylegan import derive, ops, stylegan3
from engines.stylegan.isolation import Conversion
from engines.stylegan.networks import MAPPING_LR_MULTIPLIER, STDDEV_GROUP, Discriminator, Generator
from engines.stylegan.pickles import DAMAGED, Array, Limits, Persistent, read_pickle
from engines.stylegan.randomness import latents
from engines.stylegan.unpickle import printable

NVIDIA_LICENCE = "NVIDIA Source Code License (non-commercial)"
TRAINED_GENERATOR_FILE = "g.safetensors"  # not averaged: what training goes on from in other tools
MAX_MODULES = 2000
MAX_DEPTH = 8
MAX_NAME = 64
SMOKE_SEEDS = (0,)
UNKNOWN_FORK = "unknown version of the training code"
UNKNOWN_FORK_NOTE = (
    "The file comes from a version of the training code that is not known here. Its weights fit and its code "
    "was not run, but compare some images with those you know from it."
)
# SHA-256 of the network code (UTF-8, no byte order mark, line feeds) that a .pkl carries -> whose it is.
KNOWN_FORKS: Mapping[str, str] = MappingProxyType(
    {
        "53b4e1ec457171d4e2c1454d48013765ab626141c35cdd383b020950effe11a5": "NVlabs/stylegan2-ada-pytorch",
        "b6f14e8fa2a95de4d38218fef31380c6a70de770f585107e209ff83075c307ef": "NVlabs/stylegan3",
        "06082fb3e8929e477f58fb8bc78e7ecb9a9209eb01444272d1d153c85a6a89f7": "NVlabs/stylegan3",
        "5ff4fabd04dd65ddb6e2b43d0abbd3368169397e55de472c49c1d8fff05e9230": "dvschultz/stylegan2-ada-pytorch",
        "579f6dc4f0e4175bc3adc31c6dc466b6bf6319ad6652d64309591c8642320fe2": "dvschultz/stylegan2-ada-pytorch",
        "78bd2f40d52ac7b1c38ae733a9ab4e020a7ae36ab98ccc5346ac4a08b6d29009": "dvschultz/stylegan2-ada-pytorch",
        "bf34881e90f193de94aef009dbc786038f93a1d7c6f7c1cf1279770e462f0615": "dvschultz/stylegan2-ada-pytorch",
        "d810518594328436382a65ade3876756a2a8b55d0f685040e054c8e5e76759bc": "PDillis/stylegan3-fun",
        "bf73c62e39d9da3da649e99b383873a1a63b3f8ce407c8079ae55a0b25047490": "PDillis/stylegan3-fun",
        "f287a16d36761da5cd7e40cb91e23108ab5369b756b634403aba1df6ecc2fc69": "PDillis/stylegan3-fun",
        "cfcce54412597a4a7927212ebba148d8c5f56b40261579d3ba8793b817be0429": "PDillis/stylegan3-fun",
        "39708b0913ed87c224f8d850f9e4ad49f04178b5784de77c3489c2144b0fb362": "PDillis/stylegan3-fun",
        "1f92241e30e270c2b7a8136164601c06f41eb404c995c0306de2bd6b31816ea4": "PDillis/stylegan3-fun",
        "c57e41b21eebd4b222c82e9f1913a213f7ad1c1e932824c33265c5f98adb2eba": "PDillis/stylegan3-fun",
    }
)
Network = TypeVar("Network", bound=nn.Module)


def convert(
    source: Path,
    target: Path,
    *,
    name: str = "",
    licence: str = NVIDIA_LICENCE,
    limits: Limits | None = None,
) -> Conversion:
    """Write the networks of a `.pkl` as a model folder; an existing `target` is replaced at the end only.

    StyleGAN2: the averaged generator, the trained one and the discriminator, each loaded strictly (every
    tensor present, none left over, shapes equal). StyleGAN3: the averaged generator, for making images.
    `licence` is what the weights are under; the .pkl does not say it. Raises ModelError where the file is
    not such a model or asks for anything that reading it does not need.
    """
    content = read_pickle(source, limits)
    if type(content) is not dict or type(content.get("G_ema")) is not Persistent:
        raise ModelError("The file has no averaged generator (G_ema). Choose a network snapshot of StyleGAN.")
    averaged = Tree(content["G_ema"])
    if derive.is_stylegan3(averaged.arrays):
        family, networks, notes = STYLEGAN3, *_stylegan3_networks(averaged)
    else:
        family, networks, notes = STYLEGAN2, *_stylegan2_networks(averaged, content)
    code = _source_sha256(averaged.root.source)
    fork = KNOWN_FORKS.get(code, UNKNOWN_FORK)
    if fork == UNKNOWN_FORK:
        notes = (UNKNOWN_FORK_NOTE, *notes)
    name = name or source.stem
    origin = {"kind": "model", "sha256": sha256_file(source), "name": name, "licence": licence}
    info = ModelInfo(
        family=family,
        architecture=networks[GENERATOR_FILE].architecture.as_dict(),
        name=name,
        licence=licence,
        lineage=({**origin, "source": fork, "source_sha256": code},),
    )
    with atomic_folder(target) as folder:
        states = {file: network.state_dict() for file, network in networks.items()}
        info = write_model(folder, info, states)
    return Conversion(target, info, notes)


def convert_for_host(*, source: str, target: str, name: str, licence: str | None) -> list[str]:
    """Convert for `convert_isolated`, in its process: JSON goes in and comes out. Return the notes."""
    torch.set_num_threads(1)
    hardware.tune_allocator()
    licence = NVIDIA_LICENCE if licence is None else licence
    return list(convert(Path(source), Path(target), name=name, licence=licence).notes)


class Tree:
    """A network in the file: its modules by path, and its tensors by their full names."""

    def __init__(self, root: Persistent) -> None:
        self.root = root
        self.modules: dict[str, Mapping[Any, Any]] = {}
        self.arrays: dict[str, Array] = {}
        for path, state in _walk(root, "", 0):
            if len(self.modules) == MAX_MODULES:
                raise ModelError(DAMAGED)
            self.modules[path] = state
            self._collect(path, state)

    def _collect(self, path: str, state: Mapping[Any, Any]) -> None:
        # Freeze-D turns the parameters of frozen layers into buffers, so both are the network's tensors.
        for group in ("_parameters", "_buffers"):
            for name, array in _named(state, group):
                if array is None:
                    continue
                full = f"{path}{name}"
                if not isinstance(array, np.ndarray) or full in self.arrays:
                    raise ModelError(DAMAGED)
                self.arrays[full] = array

    def settings(self, name: str) -> Iterator[tuple[str, Any]]:
        """(path, value) of a plain attribute wherever a module has it."""
        for path, state in self.modules.items():
            if type(state.get(name)) in {bool, int, float, str}:
                yield path, state[name]


def _walk(module: Any, path: str, depth: int) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    if type(module) is not Persistent or depth > MAX_DEPTH:
        raise ModelError(DAMAGED)
    yield path, module.state
    for name, child in _named(module.state, "_modules"):
        if child is not None:
            yield from _walk(child, f"{path}{name}.", depth + 1)


def _named(state: Mapping[Any, Any], group: str) -> Iterator[tuple[str, Any]]:
    entries = state.get(group, {})
    if type(entries) is not dict:
        raise ModelError(DAMAGED)
    for name, value in entries.items():
        if type(name) is not str or len(name) > MAX_NAME or not name.isidentifier():
            raise ModelError(DAMAGED)
        yield name, value


def _source_sha256(source: str) -> str:
    text = source.removeprefix("\ufeff").replace("\r\n", "\n")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _stylegan2_networks(averaged: Tree, content: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Networks by file name, and notes."""
    architecture = derive.stylegan2_architecture(averaged.arrays)
    notes = _clamping_notes(averaged)
    networks: dict[str, Any] = {}
    networks[GENERATOR_FILE] = _loaded(Generator, architecture, averaged, "averaged generator")
    if content.get("G") is not None:
        networks[TRAINED_GENERATOR_FILE] = _loaded(Generator, architecture, Tree(content["G"]), "generator")
    if content.get("D") is None:
        notes.append("The file has no discriminator: the model makes images, but cannot be trained on.")
    else:
        tree = Tree(content["D"])
        if any(".skip." in name for name in tree.arrays):
            networks[DISCRIMINATOR_FILE] = _loaded(Discriminator, architecture, tree, "discriminator")
            notes += _stddev_notes(tree)
        else:
            notes.append(
                "Its discriminator is of another architecture than the residual one (as in the preset cifar) "
                "and was left out: the model makes images, but cannot be trained on."
            )
    _smoke_test(networks[GENERATOR_FILE], networks.get(DISCRIMINATOR_FILE))
    return networks, tuple(notes)


def _stylegan3_networks(averaged: Tree) -> tuple[dict[str, Any], tuple[str, ...]]:
    architecture = derive.stylegan3_architecture(averaged.arrays)
    for name, expected in (("output_scale", stylegan3.OUTPUT_SCALE), ("conv_clamp", stylegan3.CLAMP)):
        for _, value in averaged.settings(name):
            if value != expected:
                raise ModelError(f"The model uses another {name} than StyleGAN3, which is not supported.")
    network = _loaded(stylegan3.Generator, architecture, averaged, "averaged generator")
    _smoke_test(network, None)
    return {GENERATOR_FILE: network}, ("StyleGAN3 models make images here; they cannot be trained on.",)


def _clamping_notes(tree: Tree) -> list[str]:
    values = {value for _, value in tree.settings("conv_clamp")}
    if not values:
        return []
    note = (
        "The original cuts activations off far from zero to survive half precision; here they are not cut, "
        "which shows in extreme images at most."
    )
    return [note]


def _stddev_notes(tree: Tree) -> list[str]:
    groups = {value for path, value in tree.settings("group_size") if path == "b4.mbstd."}
    if groups <= {STDDEV_GROUP}:
        return []
    note = (
        f"Its discriminator compared other numbers of images in a batch than the {STDDEV_GROUP} it compares "
        "here; it needs a little training to get used to that."
    )
    return [note]


def _loaded(kind: Callable[[Any], Network], architecture: Any, tree: Tree, what: str) -> Network:
    """A network with the tensors of `tree`: one to one, of equal shapes, all of them numbers."""
    _check_settings(tree, what)
    with torch.device("meta"):  # shapes without memory: what a hostile file claims costs nothing
        network = kind(architecture)
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ tree.arrays.keys()):
        state = "lacks" if name in expected else "has an unexpected"
        raise ModelError(f"The {what} {state} tensor {printable(name)}; its architecture is not supported.")
    for name, array in tree.arrays.items():
        if array.shape != tuple(expected[name].shape) or array.dtype.kind != "f":
            raise ModelError(f"The tensor {name} of the {what} does not fit the others. Get the file again.")
    tensors = {name: _tensor(array) for name, array in tree.arrays.items()}
    if not all_finite(tensors):
        raise ModelError(f"The {what} holds values that are not numbers: its training had failed.")
    for name, tensor in tensors.items():
        if name.endswith("resample_filter") and not torch.allclose(tensor, ops.filter_2d(), atol=1e-6):
            raise ModelError(
                f"The {what} resamples with another filter than StyleGAN2, which is not supported."
            )
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def _tensor(array: Array) -> Tensor:
    with np.errstate(over="ignore"):  # becomes an infinity, which is looked for
        return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


def _check_settings(tree: Tree, what: str) -> None:
    """What tensors do not show, where the file tells it: activations and the mapping's learning rate."""
    for _, value in tree.settings("activation"):
        if value not in {"lrelu", "linear"}:
            raise ModelError(f"The {what} uses another activation than leaky ReLU, which is not supported.")
    for path, value in tree.settings("bias_gain"):
        if path.startswith("mapping.fc") and value != MAPPING_LR_MULTIPLIER:
            raise ModelError(f"The {what} scales its mapping otherwise (lr_multiplier); not supported.")


def _smoke_test(generator: Any, discriminator: Discriminator | None) -> None:
    """One image, judged once: finite weights may still be absurd."""
    z = latents(SMOKE_SEEDS, generator.architecture.z_dim)
    with torch.inference_mode():
        images = generator(z)
        results = {"images": images}
        if discriminator is not None:
            results["logits"] = discriminator(images)
    if not all_finite(results):
        raise ModelError("The model's images are not numbers: its weights are broken. Get the file again.")
