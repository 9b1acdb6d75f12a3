"""A generator as an ONNX model: a latent vector and a truncation in, a picture out; compared with torch."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from engines.errors import ModelError
from engines.files import atomic_folder, sha256_file
from engines.manifest import FORMAT, MODEL_FILE, ModelInfo, read_model_info, verify_files
from engines.onnx.manifest import ONNX, WEIGHTS_FILE, read_onnx_manifest
from engines.stylegan import stylegan3
from engines.stylegan.networks import Generator
from engines.stylegan.randomness import latents
from engines.stylegan.state import load_generator

OPSET = 17
TOLERANCE = 1e-3  # of values from about -1 to 1
_COMPARED_SEEDS = (0, 1)
_TRUNCATIONS = (1.0, 0.5)


def export_onnx(source: Path, target: Path) -> float:
    """Write a StyleGAN model folder as an ONNX one (`model.onnx`, `model.json`), whole or not at all.

    Return the largest difference from torch over pictures of two seeds at two truncations, in values from -1
    to 1. Raises ModelError where the folder is not such a model, or the difference is above TOLERANCE.
    """
    info = read_model_info(source)
    verify_files(source, info)
    network = load_generator(source, info).eval().requires_grad_(requires_grad=False)
    with atomic_folder(target) as draft:
        _write(network, draft / WEIGHTS_FILE)
        difference = _difference(network, draft / WEIGHTS_FILE)
        if difference > TOLERANCE:
            raise ModelError(
                f"The ONNX model differs from the original by {difference:.2g}, more than {TOLERANCE}. It "
                "was not written; use the model folder."
            )
        manifest = json.dumps(_manifest(info, network, sha256_file(draft / WEIGHTS_FILE)), indent=2)
        (draft / MODEL_FILE).write_text(manifest + "\n", encoding="utf-8")
        read_onnx_manifest(draft)
    return difference


class _Whole(nn.Module):
    """Latents `[1, z_dim]` and truncation `[1, 1]` to the picture `[1, 3, R, R]`."""

    def __init__(self, network: Generator | stylegan3.Generator) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, truncation: Tensor) -> Tensor:
        picture: Tensor = self.network(z, truncation_psi=truncation)
        return picture


def _write(network: Generator | stylegan3.Generator, path: Path) -> None:
    example = (torch.zeros(1, network.architecture.z_dim), torch.ones(1, 1))
    with warnings.catch_warnings():
        # The tracing exporter is deprecated; the newer one brings another package and knows fewer networks.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Whole(network),
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["z", "truncation"],
            output_names=["picture"],
        )


def _difference(network: Generator | stylegan3.Generator, path: Path) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    largest = 0.0
    for seed in _COMPARED_SEEDS:
        z = latents([seed], network.architecture.z_dim)
        for psi in _TRUNCATIONS:
            given = {"z": z.numpy(), "truncation": np.array([[psi]], np.float32)}
            (picture,) = session.run(["picture"], given)
            with torch.inference_mode():
                expected = network(z, truncation_psi=torch.tensor([[psi]])).numpy()
            largest = max(largest, float(np.abs(picture - expected).max()))
    return largest


def _manifest(info: ModelInfo, network: Generator | stylegan3.Generator, sha256: str) -> dict[str, object]:
    z_dim = network.architecture.z_dim
    return {
        "format": FORMAT,
        "family": ONNX,
        "name": info.name,
        "licence": info.licence,
        "resolution": info.resolution,
        "lineage": [{"kind": "model", "sha256": info.sha256, "name": info.name, "licence": info.licence}],
        "inputs": [
            {
                "name": "z",
                "kind": "vector",
                "label": "Latent vector",
                "help": "Numbers from the standard normal distribution: each vector is another picture.",
                "length": z_dim,
                "default": [round(float(value), 5) for value in latents([0], z_dim)[0]],
            },
            {
                "name": "truncation",
                "kind": "number",
                "label": "Truncation",
                "help": "Below 1: more typical, less varied.",
                "min": 0,
                "max": 1.5,
                "step": 0.05,
                "default": 1,
            },
        ],
        "outputs": [
            {
                "name": "picture",
                "kind": "image",
                "label": "Picture",
                "width": info.resolution,
                "height": info.resolution,
                "mean": [0.5],
                "std": [0.5],
            }
        ],
        "files": {WEIGHTS_FILE: sha256},
    }


def export_for_host(*, source: str, target: str) -> dict[str, float]:
    """Export in a process of its own (`engines.isolation`): all that goes in and comes out is JSON."""
    torch.set_num_threads(1)
    return {"difference": export_onnx(Path(source), Path(target))}
