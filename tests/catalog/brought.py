"""Files that people bring: sound ones of each kind, tiny, and what it takes to spoil them."""

import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import save

from engines.bundles import BUNDLE_FILE, MODEL_FOLDER, BundleCard
from engines.manifest import MODEL_FILE
from tests.engines.onnx.networks import write

LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


def zip_of(entries: dict[str, bytes | str], **options: object) -> bytes:
    """A ZIP with these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return content.getvalue()


def zip_of_folder(folder: Path, inside: str = "") -> bytes:
    """A ZIP with the files of a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return zip_of({f"{inside}{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths})


def lora(width: int = 768, rank: int = 4, **metadata: str) -> bytes:
    """A LoRA in kohya's names, on one layer of a UNet that reads text of this width."""
    tensors = {
        f"{LAYER}.lora_down.weight": np.ones((rank, width), np.float32),
        f"{LAYER}.lora_up.weight": np.ones((320, rank), np.float32),
    }
    return save(tensors, metadata or None)


def tiny_starter_lora() -> bytes:
    """A LoRA of rank 2 on one attention layer of the tiny starter base, without a word about its base."""
    layer, numbers = "transformer.transformer_blocks.0.attn.to_q", np.random.default_rng(0)
    tensors = {
        f"{layer}.lora_A.weight": numbers.standard_normal((2, 32)).astype(np.float32),
        f"{layer}.lora_B.weight": numbers.standard_normal((32, 2)).astype(np.float32),
    }
    return save(tensors)


def safetensors(header: dict | str, data: bytes = b"") -> bytes:
    """A safetensors file with a header as it is given, sound or not."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + data


def bundle_of(folder: Path, **values: object) -> bytes:
    """A bundle of a model folder."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = json.loads((folder / MODEL_FILE).read_text())
    card = BundleCard(
        **{
            "title": "Faces",
            "family": manifest["family"],
            "version_sha256": "1" * 64,
            "files": files,
            "author": "Ada",
            "licence": "CC0-1.0",
            **values,
        }
    )
    entries: dict[str, bytes | str] = {BUNDLE_FILE: card.as_json()}
    entries |= {f"{MODEL_FOLDER}/{name}": (folder / name).read_bytes() for name in files}
    return zip_of(entries)


def onnx_zip(tmp_path: Path, model: onnx.ModelProto, **changes: object) -> bytes:
    """A ZIP with an ONNX network from a picture to a larger one, and its manifest with some of it changed."""
    values = {"name": "Doubler", "author": "Ada", "licence": "MIT", **changes}
    inputs = values.pop("inputs", [{"name": "picture", "kind": "image"}])
    outputs = [{"name": "larger", "kind": "image"}]
    return zip_of_folder(write(tmp_path / "onnx", model, inputs, outputs, **values))
