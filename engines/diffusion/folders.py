"""What a base model's folder holds, read from its JSON and safetensors headers. No torch here.

A base model is a folder as diffusers writes it: `model_index.json` and one subfolder for each component.
Nothing is ever fetched: what is missing is named.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.errors import ModelError
from engines.files import sha256_file
from engines.manifest import MODEL_FILE

INDEX_FILE = "model_index.json"
MAX_HEADER_BYTES = 100 << 20
_TEXTS = frozenset({".json", ".txt", ".md", ".model"})
OPTIONAL = frozenset({"safety_checker", "feature_extractor", "image_encoder"})  # never used here
PIPELINES: Mapping[str, str] = MappingProxyType(
    {
        "StableDiffusionPipeline": "sd15",
        "StableDiffusionXLPipeline": "sdxl",
        "StableDiffusion3Pipeline": "sd3",
        "FluxPipeline": "flux",
    }
)
# Families whose LoRAs other programs know by the names that kohya gave their layers.
KOHYA_FAMILIES = frozenset({"sd15", "sdxl", "flux"})
WORKSPACE_BYTES = 512 << 20  # of a process that has loaded torch, before it does anything
TRAINING_SHARE = 0.5  # of the weights, once more, for activations with gradient checkpointing


@dataclass(frozen=True, kw_only=True)
class BaseInfo:
    """A folder whose files are all there. `parameters` counts them by component."""

    folder: Path
    family: str
    components: Mapping[str, tuple[str, str]]  # name -> library and class
    configs: Mapping[str, Mapping[str, Any]]  # of the components that have one
    parameters: Mapping[str, int]

    @property
    def name(self) -> str:
        """What people call it until an operator gives it another name."""
        return self.folder.name

    def memory_bytes(self, *, training: bool, bytes_per_parameter: int = 2) -> int:
        """About how much memory it needs, at two bytes a parameter (bf16) unless told otherwise.

        An estimate from the number of parameters alone; activations grow with the size of pictures.
        """
        weights = sum(self.parameters.values()) * bytes_per_parameter
        return round(WORKSPACE_BYTES + weights * (1 + TRAINING_SHARE * training))


def read_base(folder: Path) -> BaseInfo:
    """Look at a base's folder. Raises ModelError that names every file that is missing or does not fit."""
    components, pipeline = _read_index(folder)
    configs: dict[str, Mapping[str, Any]] = {}
    parameters: dict[str, int] = {}
    problems: list[str] = []
    for name, (library, class_name) in components.items():
        path = folder / name
        if not path.is_dir():
            problems.append(f"{name}/ is missing")
        elif class_name.endswith(("Tokenizer", "TokenizerFast")):
            problems += _tokenizer_problems(path)
        elif class_name.endswith("Scheduler"):
            problems += _json_problems(path / "scheduler_config.json", configs, name)
        else:
            problems += _json_problems(path / "config.json", configs, name)
            shapes, found = _read_weights(path, _stem(library))
            problems += found
            parameters[name] = sum(prod(shape) for shape in shapes.values())
    family = _family(pipeline, components)
    if not problems:
        problems = _mismatches(family, configs)
    if problems:
        raise ModelError(f"The base in {folder} cannot be used: {'; '.join(problems)}. Get it again whole.")
    return BaseInfo(
        folder=folder, family=family, components=components, configs=configs, parameters=parameters
    )


def fingerprint(folder: Path) -> str:
    """The base's identity: a hash over the contents of all its weight files, in hexadecimal. Reads them."""
    files = sorted(folder.glob("*/*.safetensors"))
    lines = [f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def needed_files(info: BaseInfo) -> list[str]:
    """What of a base's folder is needed, by relative path: no second formats, no safety checker.

    Texts at the folder's top (licence, readme) come along.
    """
    paths = [path for path in info.folder.iterdir() if path.is_file() and path.suffix in _TEXTS | {""}]
    for name, (library, _) in info.components.items():
        paths += [path for path in (info.folder / name).iterdir() if path.suffix in _TEXTS]
        if name in info.parameters:
            paths += _weight_files(info.folder / name, _stem(library))[0]
    relative = (path.relative_to(info.folder).as_posix() for path in paths)
    return sorted(path for path in relative if path != MODEL_FILE)


def read_header(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a safetensors file's tensors, without reading them.

    Raises ModelError where the file is damaged.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, MAX_HEADER_BYTES)))
        header.pop("__metadata__", None)
        end = 8 + length + max(entry["data_offsets"][1] for entry in header.values())
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        size = path.stat().st_size
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"{path} is damaged: {error}. Get the file again.") from error
    if size != end:
        raise ModelError(f"{path} is damaged: it has {size} bytes, not {end}. Get the file again.")
    return shapes


def _read_index(folder: Path) -> tuple[dict[str, tuple[str, str]], str]:
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        pipeline = index["_class_name"]
        pairs = {name: value for name, value in index.items() if isinstance(value, list)}
        components = {
            name: (str(library), str(class_name))
            for name, (library, class_name) in pairs.items()
            if class_name is not None and name not in OPTIONAL
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{folder} is not a base model: it has no readable {INDEX_FILE}. "
            "Give a folder that diffusers wrote."
        ) from error
    if pipeline not in PIPELINES:
        known = ", ".join(PIPELINES)
        raise ModelError(f"{folder} holds a {pipeline}, which is not supported. These are: {known}.")
    return components, pipeline


def _family(pipeline: str, components: Mapping[str, tuple[str, str]]) -> str:
    """Our starter is a FluxPipeline too; it alone has an autoencoder other than FLUX's."""
    family = PIPELINES[pipeline]
    if family == "flux" and components.get("vae", ("", ""))[1] != "AutoencoderKL":
        return "starter"
    return family


def _tokenizer_problems(path: Path) -> list[str]:
    whole = ("tokenizer.json", "spiece.model")
    if any((path / name).is_file() for name in whole):
        return []
    parts = [name for name in ("vocab.json", "merges.txt") if not (path / name).is_file()]
    return [f"{path.name}/{name} is missing" for name in parts]


def _json_problems(path: Path, configs: dict[str, Mapping[str, Any]], name: str) -> list[str]:
    label = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        return [f"{label} is missing"]
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return [f"{label} is not readable JSON"]
    configs[name] = values
    return []


def _stem(library: str) -> str:
    """How the names of a component's weight files begin."""
    return "model" if library == "transformers" else "diffusion_pytorch_model"


def _weight_files(path: Path, stem: str) -> tuple[list[Path], set[tuple[str, str]]]:
    """A component's weight files, one or shards, and of shards what the index says: tensor and file.

    Raises ModelError where there are none.
    """
    single, index = path / f"{stem}.safetensors", path / f"{stem}.safetensors.index.json"
    if single.is_file():
        return [single], set()
    if not index.is_file():
        raise ModelError(f"{path.name}/{single.name} is missing")
    try:
        expected = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path.name}/{index.name} is not readable") from error
    return [path / name for name in sorted({file for _, file in expected})], expected


def _read_weights(path: Path, stem: str) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Shapes by name of a component's weights, and what is wrong with them."""
    try:
        files, expected = _weight_files(path, stem)
    except ModelError as error:
        return {}, [str(error)]
    shapes: dict[str, tuple[int, ...]] = {}
    problems: list[str] = []
    for file in files:
        if file.parent != path or not file.is_file():
            problems.append(f"{path.name}/{file.name} is missing")
            continue
        try:
            shapes |= read_header(file)
        except ModelError:
            problems.append(f"{path.name}/{file.name} is damaged")
    absent = {name for name, _ in expected} - shapes.keys() if not problems else set()
    problems += [f"{path.name} lacks {name}" for name in sorted(absent)]
    return shapes, problems


def _mismatches(family: str, configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Components that do not fit each other."""
    try:
        return _text_mismatches(family, configs) + _latent_mismatches(family, configs)
    except (KeyError, TypeError) as error:
        return [f"a component or the setting {error} is missing"]


def _text_mismatches(family: str, configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    pairs: list[tuple[str, int, str, int]] = []
    if family in {"flux", "starter"}:
        transformer = configs["transformer"]
        wanted, pooled = transformer["joint_attention_dim"], transformer["pooled_projection_dim"]
        pairs.append(("transformer", wanted, "text_encoder_2", configs["text_encoder_2"]["d_model"]))
        pairs.append(("transformer", pooled, "text_encoder", configs["text_encoder"]["hidden_size"]))
    elif family == "sd15":
        width = configs["text_encoder"]["hidden_size"]
        pairs.append(("unet", configs["unet"]["cross_attention_dim"], "text_encoder", width))
    elif family == "sdxl":
        width = configs["text_encoder"]["hidden_size"] + configs["text_encoder_2"]["hidden_size"]
        pairs.append(("unet", configs["unet"]["cross_attention_dim"], "the text encoders", width))
    elif "text_encoder_3" in configs:
        wanted = configs["transformer"]["joint_attention_dim"]
        pairs.append(("transformer", wanted, "text_encoder_3", configs["text_encoder_3"]["d_model"]))
    return [
        f"{taker} expects text vectors of width {wanted}, {giver} gives {given}"
        for taker, wanted, giver, given in pairs
        if wanted != given
    ]


def _latent_mismatches(family: str, configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    packing = 4 if family in {"flux", "starter"} else 1
    denoiser = "unet" if "unet" in configs else "transformer"
    channels, latents = configs[denoiser]["in_channels"], configs["vae"]["latent_channels"]
    if channels != packing * latents:
        return [f"{denoiser} expects {channels // packing} latent channels, vae gives {latents}"]
    return []
