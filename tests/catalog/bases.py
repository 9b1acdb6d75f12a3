"""Tiny text-to-image models for tests: bases with random weights, and LoRAs on them."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from accounts.models import User
from catalog.manifests import SAMPLE_GRID
from catalog.models import Derivation, Licence, ModelVersion, Visibility
from catalog.services import publish_base, publish_version
from engines.diffusion.manifests import LORA_FILE, LoraManifest, write_lora_manifest

_made = tempfile.TemporaryDirectory(prefix="atelier-test-bases-")  # gone when the tests end


@cache
def tiny_base_folder(family: str = "starter") -> Path:
    """A tiny base's folder, written once in a test run; leave it as it is. The first call loads torch."""
    from tests.engines.diffusion.tiny import make_base

    return make_base(family, Path(_made.name) / family)


def publish_tiny_base(
    owner: User,
    folder: Path | None = None,
    *,
    family: str = "starter",
    name: str = "tiny-base",
    visibility: str = Visibility.PUBLIC,
    **values: object,
) -> ModelVersion:
    """Publish a tiny base (that of `family`, or the one in `folder`). Needs seeded licences."""
    values.setdefault("title", name.replace("-", " ").capitalize())
    values.setdefault("licence", Licence.objects.get(slug="cc0-1.0"))
    folder = folder or tiny_base_folder(family)
    return publish_base(owner=owner, folder=folder, name=name, visibility=visibility, **values)


def publish_tiny_lora(
    owner: User,
    base: ModelVersion,
    folder: Path,
    *,
    name: str = "tiny-lora",
    keyword: str = "mimochi",
    seed: int = 0,
    visibility: str = Visibility.PRIVATE,
    **values: object,
) -> ModelVersion:
    """Publish a LoRA that fits `base` (a tiny one of the family starter) and changes its pictures.

    `folder` is where its files may be written (`tmp_path / "lora"`).
    """
    folder.mkdir(parents=True)
    write_tiny_lora(folder / LORA_FILE, base, keyword=keyword, seed=seed)
    Image.new("RGB", (64, 32), (200, 120, seed % 256)).save(folder / SAMPLE_GRID)
    write_lora_manifest(
        folder,
        LoraManifest(
            kind=base.manifest["kind"],
            resolution=base.manifest["resolution"],
            base_fingerprint=base.manifest["fingerprint"],
            base_title=base.model.title,
            base_version=base.sha256,
            keyword=keyword,
            subject="cat",
            purpose="character",
            name=name,
            step=100,
        ),
    )
    values.setdefault("title", name.replace("-", " ").capitalize())
    values.setdefault("licence", Licence.objects.get(slug="own-work"))
    values.setdefault("parents", [(base.source, Derivation.Role.BASE)])
    return publish_version(owner=owner, folder=folder, name=name, visibility=visibility, **values)


def write_tiny_lora(path: Path, base: ModelVersion, *, keyword: str, seed: int = 0) -> None:
    """Write a LoRA of rank 2 on one attention layer of a tiny starter, made without torch."""
    numbers = np.random.default_rng(seed)
    layer = "transformer.transformer_blocks.0.attn.to_q"
    width = 32  # heads times their width in tests.engines.diffusion.tiny
    tensors = {
        f"{layer}.lora_A.weight": numbers.standard_normal((2, width)).astype(np.float32),
        f"{layer}.lora_B.weight": numbers.standard_normal((width, 2)).astype(np.float32),
    }
    metadata = {
        "format": "pt",
        "modelspec.title": keyword,
        "modelspec.trigger_phrase": keyword,
        "modelspec.architecture": "atelier-starter/lora",
        "atelier.family": base.manifest["kind"],
        "atelier.base": base.model.title,
        "atelier.base_sha256": base.manifest["fingerprint"],
    }
    save_file(tensors, path, metadata)
