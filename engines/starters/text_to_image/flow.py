"""The flow-matching transformer: its shape, its loss and a small sampler.

Flow matching (Lipman et al. 2023, arXiv 2210.02747) in the convention of FLUX and diffusers: at time t a
sample is ``(1 - t) * latents + t * noise`` and the transformer predicts ``noise - latents``. Times are
logit-normal (Esser et al. 2024, arXiv 2403.03206).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import FluxTransformer2DModel

from engines.starters.text_to_image.autoencoder import LATENT_CHANNELS
from engines.starters.text_to_image.text import LENGTH, POOLED_WIDTH, TOKEN_WIDTH

_FULL_SIDE = 8  # packed latents a side of a 128 px picture


def new_transformer(
    *, double_blocks: int = 1, single_blocks: int = 4, heads: int = 4, head_width: int = 64
) -> Any:
    """An untrained transformer of about 6.5 million parameters; every block starts as the identity.

    Gates and output start at zero (adaLN-Zero: Peebles and Xie 2023, arXiv 2212.09748, section 3.2).
    """
    eighth = head_width // 8
    model: Any = FluxTransformer2DModel(  # type: ignore[no-untyped-call]
        in_channels=4 * LATENT_CHANNELS,
        num_layers=double_blocks,
        num_single_layers=single_blocks,
        attention_head_dim=head_width,
        num_attention_heads=heads,
        joint_attention_dim=TOKEN_WIDTH,
        pooled_projection_dim=POOLED_WIDTH,
        axes_dims_rope=(head_width - 2 * 3 * eighth, 3 * eighth, 3 * eighth),
    )
    for name, parameter in model.named_parameters():
        is_modulation = name.endswith(
            ("norm.linear.weight", "norm1.linear.weight", "norm1_context.linear.weight")
        )
        if is_modulation or name.startswith(("proj_out.", "norm_out.")):
            torch.nn.init.zeros_(parameter)
    return model


def pack(latents: torch.Tensor) -> torch.Tensor:
    """``[N, C, H, W]`` to tokens ``[N, H/2 * W/2, 4 C]``, in the order of FLUX pipelines."""
    count, channels, height, width = latents.shape
    blocks = latents.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(count, height // 2 * (width // 2), 4 * channels)


def unpack(tokens: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`pack` for square pictures."""
    count, length, width = tokens.shape
    side = int(length**0.5)
    blocks = tokens.view(count, side, side, width // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return blocks.reshape(count, width // 4, 2 * side, 2 * side)


def positions(side: int) -> torch.Tensor:
    """Position ids ``[side * side, 3]`` of packed latents; a small picture's spread over the full one's."""
    stride = _FULL_SIDE / side if side < _FULL_SIDE else 1.0
    line = torch.arange(side) * stride + (stride - 1) / 2
    ids = torch.zeros(side, side, 3)
    ids[..., 1], ids[..., 2] = line[:, None], line[None, :]
    return ids.view(-1, 3)


def velocity(
    transformer: Any,
    noisy: torch.Tensor,
    times: torch.Tensor,
    text: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Velocity of packed ``noisy [N, L, 4 C]`` at ``times [N]`` in [0, 1], given token and pooled vectors."""
    token_vectors, pooled = text
    side = int(noisy.shape[1] ** 0.5)
    output: torch.Tensor = transformer(
        hidden_states=noisy,
        timestep=times,
        encoder_hidden_states=token_vectors,
        pooled_projections=pooled,
        img_ids=positions(side).to(noisy.device),
        txt_ids=torch.zeros(LENGTH, 3, device=noisy.device),
        return_dict=False,
    )[0]
    return output


def flow_loss(
    transformer: Any,
    latents: torch.Tensor,
    text: tuple[torch.Tensor, torch.Tensor],
    *,
    noise: torch.Tensor,
    times: torch.Tensor,
) -> torch.Tensor:
    """Mean squared error of the velocity; ``latents`` and ``noise [N, C, H, W]``, ``times [N]``."""
    clean, noise = pack(latents), pack(noise)
    spread = times[:, None, None]
    predicted = velocity(transformer, (1 - spread) * clean + spread * noise, times, text)
    return (predicted.float() - (noise - clean)).square().mean()


@torch.no_grad()
def sample(
    transformer: Any,
    encoders: Any,
    tokens: tuple[torch.Tensor, torch.Tensor],
    *,
    side: int,
    seeds: Sequence[int],
    steps: int = 24,
    guidance: float = 4.0,
) -> torch.Tensor:
    """Latents ``[N, C, 2 side, 2 side]`` by Euler steps with classifier-free guidance.

    ``tokens`` are those of the captions and of the empty caption, ``[N, LENGTH]`` each; each picture's noise
    comes from its own seed.
    """
    shape = (LATENT_CHANNELS, 2 * side, 2 * side)
    noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    device = tokens[0].device
    state = pack(torch.stack(noise)).to(device)
    text = encoders(torch.cat(tokens))
    times = torch.linspace(1, 0, steps + 1)
    for now, after in itertools.pairwise(times):
        both = velocity(transformer, torch.cat((state, state)), now.expand(2 * len(seeds)).to(device), text)
        wanted, unwanted = both.float().chunk(2)
        state = state + (after - now) * (unwanted + guidance * (wanted - unwanted))
    return unpack(state)
