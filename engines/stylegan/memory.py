"""How much memory of a device a training takes, estimated from its sizes. No torch here."""

from engines.stylegan.config import Architecture

# Weights, gradients and Adam's two moments of both networks, and the averaged generator, in float32.
_COPIES_G, _COPIES_D = 5, 4
# What autograd keeps for the generator's step, in feature maps of one image in float32. Counted with
# saved-tensor hooks: 12.8 for cpu64, 14.2 for cpu64-hq and 13.9 for gpu256, all in float32. A card keeps most
# of it in bfloat16, half the size; a quarter is added for workspace.
_KEPT_MAPS = 9.0
# What the driver and the libraries take before the first tensor.
_CONTEXT_BYTES = 512 << 20


def training_bytes(architecture: Architecture, images: int) -> int:
    """Return about how many bytes a training needs on a card that takes so many images at once.

    An estimate for deciding where a training fits, not a measurement on a card.
    """
    maps = sum(size * size * architecture.channels(size) for size in architecture.block_resolutions)
    weights = 4 * (
        _COPIES_G * generator_weights(architecture) + _COPIES_D * discriminator_weights(architecture)
    )
    return int(weights + 4 * _KEPT_MAPS * maps * images + _CONTEXT_BYTES)


def generator_weights(architecture: Architecture) -> int:
    """About how many numbers a generator learns: convolutions, their styles and the mapping network."""
    convolutions = _convolutions(architecture)
    styles = sum(
        2 * architecture.w_dim * architecture.channels(size) for size in architecture.block_resolutions
    )
    mapping = architecture.mapping_layers * architecture.w_dim**2
    return convolutions + styles + mapping


def discriminator_weights(architecture: Architecture) -> int:
    """About how many numbers a discriminator learns: convolutions and the layer that judges."""
    return _convolutions(architecture) + 16 * architecture.channels(4) ** 2


def _convolutions(architecture: Architecture) -> int:
    """Two 3 x 3 convolutions a block, one of which changes the number of channels."""
    total = 0
    for size in architecture.block_resolutions:
        here, below = architecture.channels(size), architecture.channels(max(4, size // 2))
        total += 9 * here * (here + below)
    return total
