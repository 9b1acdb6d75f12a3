"""The sizes of a network out of the shapes of its tensors: nothing about a checkpoint is guessed."""

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from engines.errors import ModelError
from engines.stylegan import stylegan3
from engines.stylegan.config import Architecture
from engines.stylegan.networks import IMAGE_CHANNELS
from engines.stylegan.pickles import Array

Arrays = Mapping[str, Array]

MAX_RESOLUTION = 2048
MAX_WIDTH = 8192  # channels, and lengths of z and w
MAX_MAPPING_LAYERS = 32
FILTER_TOLERANCE = 1e-5
_BLOCK = re.compile(r"synthesis\.b(\d{1,4})\.conv1\.weight")
_LAYER = re.compile(r"synthesis\.(L(\d{1,2})_(\d{1,4})_(\d{1,4}))\.weight")


def is_stylegan3(arrays: Arrays) -> bool:
    """Whether these are the tensors of a StyleGAN3 generator (else StyleGAN2's are looked for)."""
    return "synthesis.input.freqs" in arrays


def stylegan2_architecture(arrays: Arrays) -> Architecture:
    """Sizes of a StyleGAN2 generator. Raises ModelError, saying what is missing or not supported."""
    z_dim, w_dim, layers = _mapping_sizes(arrays)
    channels = {
        int(match[1]): _shape(arrays, match[0], 4)[0] for match in map(_BLOCK.fullmatch, arrays) if match
    }
    resolution = _checked_resolution(max(channels, default=0), least=8)
    colours = _shape(arrays, f"synthesis.b{resolution}.torgb.weight", 4)[0]
    if colours != IMAGE_CHANNELS:
        raise ModelError(f"The model makes images of {colours} channels; only RGB, that is 3, is supported.")
    if f"synthesis.b{resolution}.conv1.noise_strength" not in arrays:
        raise ModelError("The model was trained without noise inputs (use_noise), which is not supported.")
    if _shape(arrays, "synthesis.b4.const", 3)[1:] != (4, 4):
        raise ModelError("The model does not start from 4 x 4 pixels; only square images are supported.")
    architecture = Architecture(
        resolution=resolution,
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=layers,
        # The least that gives these channels; anything more up to the next step would do the same.
        channel_base=max(side * count for side, count in channels.items()),
        channel_max=max(channels.values()),
    )
    if channels != {side: architecture.channels(side) for side in architecture.block_resolutions}:
        raise ModelError("The channels of the model's blocks follow another rule than StyleGAN2's.")
    return architecture


def stylegan3_architecture(arrays: Arrays) -> stylegan3.Architecture:
    """Sizes of a StyleGAN3 generator.

    Their layers' names, sizes and filters must come out exactly as the derived architecture designs them.
    Raises ModelError where none does.
    """
    z_dim, w_dim, mapping_layers = _mapping_sizes(arrays)
    names = {int(match[2]): match for match in map(_LAYER.fullmatch, arrays) if match}
    num_layers = max(names, default=0)
    if num_layers < 1 or sorted(names) != list(range(num_layers + 1)):
        raise ModelError("The model lacks some of StyleGAN3's layers. Get it again.")
    if int(names[num_layers][4]) != IMAGE_CHANNELS:
        raise ModelError("The model does not make RGB images; others are not supported.")
    resolution = _checked_resolution(int(names[num_layers][3]), least=16)
    first = names[0][1]
    channels = [int(names[index][4]) for index in range(num_layers)]
    for num_critical in range(num_layers):
        draft = stylegan3.Architecture(
            resolution=resolution,
            z_dim=z_dim,
            w_dim=w_dim,
            mapping_layers=mapping_layers,
            num_layers=num_layers,
            num_critical=num_critical,
            channel_base=1,
            channel_max=max(channels),
            conv_kernel=_kernel(arrays, f"synthesis.{first}.weight"),
            radial_filters=int(arrays.get(f"synthesis.{first}.down_filter", np.empty(0)).ndim == 2),
        )
        for architecture in _with_channel_base(draft, channels):
            if _has_filters(architecture, arrays):
                return architecture
    raise ModelError(
        "The layers or filters of the model are not those of StyleGAN3's configurations T and R, "
        "and others are not supported."
    )


def _mapping_sizes(arrays: Arrays) -> tuple[int, int, int]:
    """(z_dim, w_dim, number of layers)."""
    if "mapping.embed.weight" in arrays:
        raise ModelError(
            "The model is conditional: it was trained with labels (c_dim > 0), which is not supported. "
            "Train or choose one without labels."
        )
    w_dim = _shape(arrays, "mapping.w_avg", 1)[0]
    z_dim = _shape(arrays, "mapping.fc0.weight", 2)[1]
    layers = 1
    while f"mapping.fc{layers}.weight" in arrays:
        layers += 1
    if layers > MAX_MAPPING_LAYERS:
        raise ModelError(f"The model's mapping has more than {MAX_MAPPING_LAYERS} layers.")
    return z_dim, w_dim, layers


def _with_channel_base(
    draft: stylegan3.Architecture, channels: list[int]
) -> Iterator[stylegan3.Architecture]:
    """The draft with a channel_base that gives these channels, if there is one.

    A layer has rint(min(channel_base / 2 / cutoff, channel_max)) channels, so each bounds channel_base.
    """
    cutoffs = [signal.cutoff for signal in stylegan3.signals(draft)]
    pairs = list(zip(channels, cutoffs, strict=False))  # all but the colours
    lower = max((count - 0.5) * 2 * cutoff for count, cutoff in pairs)
    upper = min(
        ((count + 0.5) * 2 * cutoff for count, cutoff in pairs if count < draft.channel_max), default=math.inf
    )
    power = 1 << max(math.ceil(math.log2(lower)), 0)  # what people choose, where it is among them
    base = power if power < upper else math.floor(lower) + 1
    architecture = stylegan3.Architecture(**{**draft.as_dict(), "channel_base": base})
    if [signal.channels for signal in stylegan3.signals(architecture)][:-1] == channels:
        yield architecture


def _has_filters(architecture: stylegan3.Architecture, arrays: Arrays) -> bool:
    for plan in stylegan3.layer_plans(architecture)[:-1]:
        for kind, designed in (("up", plan.up_filter()), ("down", plan.down_filter())):
            given = arrays.get(f"synthesis.{plan.name}.{kind}_filter")
            if given is None or given.shape != designed.shape:
                return False
            if not np.allclose(given, designed, rtol=0, atol=FILTER_TOLERANCE):
                return False
    return True


def _kernel(arrays: Arrays, name: str) -> int:
    side = _shape(arrays, name, 4)[3]
    if side not in {1, 3}:
        raise ModelError(
            f"The model's kernels have {side} x {side} taps; only 1 x 1 and 3 x 3 are supported."
        )
    return side


def _checked_resolution(resolution: int, *, least: int) -> int:
    if not least <= resolution <= MAX_RESOLUTION or resolution & (resolution - 1):
        raise ModelError(
            f"No generator of a supported size was found in the file: its side would be {resolution} pixels, "
            f"and must be a power of two from {least} to {MAX_RESOLUTION}."
        )
    return resolution


def _shape(arrays: Arrays, name: str, dimensions: int) -> tuple[int, ...]:
    shape = arrays[name].shape if name in arrays else ()
    if len(shape) != dimensions or max(shape) > MAX_WIDTH:
        raise ModelError(
            f"The generator's tensor {name} is missing or has an impossible shape. Get it again."
        )
    return shape
