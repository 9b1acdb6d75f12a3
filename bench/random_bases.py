"""Bases with random weights, sized like real ones or like small copies of them, for measuring speed."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from engines.starters.text_to_image.autoencoder import new_autoencoder
from engines.starters.text_to_image.flow import new_transformer
from engines.starters.text_to_image.text import TextEncoders, build_tokenizer

CAPTIONS = ("a picture of a cat on a red background, emoji", "two dogs in the snow, line drawing")
LENGTH = 77


def make_starter(folder: Path) -> Path:
    """A base like the shipped starter, with weights that are not zero where its training begins at zero."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(CAPTIONS)
    encoders = TextEncoders(tokenizer)
    transformer: Any = new_transformer()
    for parameter in transformer.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)  # type: ignore[no-untyped-call]  # of diffusers
    pipeline: Any = FluxPipeline(  # type: ignore[no-untyped-call]  # of diffusers
        scheduler=scheduler,
        vae=new_autoencoder(),
        text_encoder=encoders.pooled,
        tokenizer=tokenizer,
        text_encoder_2=encoders.tokens,
        tokenizer_2=tokenizer,
        transformer=transformer,
    )
    pipeline.save_pretrained(folder)
    return folder


def make_stable_diffusion(folder: Path, share: float) -> Path:
    """A base built like SD 1.5, each layer `share` times as wide, for pictures of 256 pixels a side."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(CAPTIONS)
    tokenizer.model_max_length = LENGTH
    text_width = _wide(768, share)
    pipeline: Any = StableDiffusionPipeline(  # type: ignore[no-untyped-call]  # of diffusers
        vae=_vae(share),
        text_encoder=_clip(tokenizer, text_width),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(  # type: ignore[no-untyped-call]  # of diffusers
            sample_size=32,
            block_out_channels=tuple(_wide(width, share) for width in (320, 640, 1280, 1280)),
            attention_head_dim=max(1, round(8 * share)),  # this is how many there are, not their width
            cross_attention_dim=text_width,
            norm_num_groups=8,
        ),
        scheduler=DDIMScheduler(  # type: ignore[no-untyped-call]  # of diffusers
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    return folder


def make_sdxl(folder: Path, share: float, device: torch.device) -> Path:
    """A base built like SDXL, each layer `share` times as wide, in half precision; made on `device`."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(CAPTIONS)
    tokenizer.model_max_length = LENGTH
    small, large = _wide(768, share), _wide(1280, share)
    with device:
        pipeline: Any = StableDiffusionXLPipeline(  # type: ignore[no-untyped-call]  # of diffusers
            vae=_vae(share, scaling_factor=0.13025),
            text_encoder=_clip(tokenizer, small),
            text_encoder_2=_clip(tokenizer, large, layers=32, projected=True),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=UNet2DConditionModel(  # type: ignore[no-untyped-call]  # of diffusers
                sample_size=128,
                block_out_channels=tuple(_wide(width, share) for width in (320, 640, 1280)),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                transformer_layers_per_block=(1, 2, 10),
                attention_head_dim=tuple(max(1, round(heads * share)) for heads in (5, 10, 20)),
                cross_attention_dim=small + large,
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=large + 6 * 256,
                norm_num_groups=8,
            ),
            scheduler=EulerDiscreteScheduler(  # type: ignore[no-untyped-call]  # of diffusers
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
            ),
            add_watermarker=False,
        )
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    return folder


def _vae(share: float, scaling_factor: float = 0.18215) -> Any:
    return AutoencoderKL(  # type: ignore[no-untyped-call]  # of diffusers
        block_out_channels=tuple(_wide(width, share) for width in (128, 256, 512, 512)),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=8,
        scaling_factor=scaling_factor,
    )


def _clip(tokenizer: CLIPTokenizer, width: int, *, layers: int = 12, projected: bool = False) -> Any:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=8,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModelWithProjection(config) if projected else CLIPTextModel(config)


def _wide(width: int, share: float) -> int:
    """In steps of eight, as normalisations and heads want it."""
    return max(8, round(width * share / 8) * 8)
