"""Running a model of any family from the command line: a bundle, a model folder or a shipped starter."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from engines import provenance
from engines.bundles import BundleCard, is_bundle, opened_bundle
from engines.diffusion.manifests import LORA_FILE
from engines.errors import ConfigError, ModelError
from engines.images import UInt8Array
from engines.manifest import FAMILIES, LORA, MODEL_FILE, TEXT_TO_IMAGE
from engines.onnx.manifest import ONNX, read_onnx_manifest
from engines.onnx.ports import Input
from engines.provenance import Provenance
from engines.starters import starter_folder
from engines.stylegan.generate import Generator

ALL_SEEDS: Sequence[int] = range(16)
ONE_SEED: Sequence[int] = (0,)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model to be run: its folder, its family, and its card where it came in a bundle."""

    folder: Path
    family: str
    card: BundleCard | None

    def record(self, *, name: str, sha256: str, licence: str = "", **values: Any) -> Provenance:
        """What is written into a picture that it makes: not signed, as nobody but the studio can."""
        if self.card is None:
            return Provenance(model=name, model_sha256=sha256, licence=licence, **values)
        return Provenance(
            model=f"{self.card.address} v{self.card.version}",
            model_sha256=sha256,
            version_sha256=self.card.version_sha256,
            licence=self.card.licence,
            licence_url=self.card.licence_url,
            credit="; ".join(self.card.attribution.splitlines()),
            **values,
        )


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add what `run` takes beside model, seeds and output folder."""
    command.add_argument("--prompt", help="text to image: what to make")
    command.add_argument("--negative-prompt", default="", help="text to image: what to avoid")
    command.add_argument("--base", help="LoRA: bundle or folder of the base that it was made on")
    command.add_argument("--steps", type=int, help="text to image: steps of each picture")
    command.add_argument("--guidance", type=float, help="text to image: how closely to follow the prompt")
    command.add_argument("--size", type=int, help="text to image: side of the pictures in pixels")
    command.add_argument(
        "--input",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="ONNX: its inputs by name; pictures as paths, a vector as numbers between commas",
    )


def run(options: argparse.Namespace) -> int:
    """Run the model that was named and write what it makes into the output folder. Raises EngineError."""
    with opened_model(options.model) as model:
        options.out.mkdir(parents=True, exist_ok=True)
        if model.family in FAMILIES:
            _run_generator(model, options)
        elif model.family in {TEXT_TO_IMAGE, LORA}:
            _run_diffusion(model, options)
        elif model.family == ONNX:
            _run_onnx(model, options)
        else:
            raise ModelError(f"This version cannot run models of the kind {model.family}. Get a newer one.")
    return 0


@contextmanager
def opened_model(name: str) -> Iterator[Model]:
    """Yield a model by its path (bundle, folder) or the name of a shipped starter. Raises ModelError."""
    path = Path(name)
    if path.exists() and is_bundle(path):
        with opened_bundle(path) as (folder, card):
            yield Model(folder=folder, family=card.family, card=card)
        return
    folder = path if path.is_dir() else starter_folder(name)
    yield Model(folder=folder, family=_family(folder), card=None)


def _family(folder: Path) -> str:
    try:
        return str(json.loads((folder / MODEL_FILE).read_text("utf-8"))["family"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} is not a model folder: it has no readable {MODEL_FILE}.") from error


def _run_generator(model: Model, options: argparse.Namespace) -> None:
    generator = Generator.load(model.folder, threads=options.threads)
    seeds = options.seeds or ALL_SEEDS
    images = generator.images(seeds, truncation_psi=options.truncation)
    info = generator.info
    for seed, pixels in zip(seeds, images, strict=True):
        settings: dict[str, provenance.Scalar] = {"Seed": seed, "Truncation": options.truncation}
        record = model.record(name=info.name, sha256=info.sha256, licence=info.licence, settings=settings)
        _write(pixels, options.out, seed, record)
    _tell(f"{len(images)} images in {options.out}")


def _run_diffusion(model: Model, options: argparse.Namespace) -> None:
    # These parts import slowly, and nothing else here needs them.
    from engines.diffusion.base import Base  # noqa: PLC0415
    from engines.diffusion.generate import Sample, generate  # noqa: PLC0415
    from engines.diffusion.lora import load_lora  # noqa: PLC0415
    from engines.diffusion.lora_files import read_lora  # noqa: PLC0415

    if not options.prompt:
        raise ConfigError('Say what to make: --prompt "..."')
    with ExitStack() as stack:
        base_model, name = model, None
        if model.family == LORA:
            if not options.base:
                raise ConfigError("A LoRA needs its base: --base with the base's bundle or folder.")
            base_model = stack.enter_context(opened_model(options.base))
        base = Base.open(base_model.folder)
        if model.family == LORA:
            lora = read_lora(model.folder / LORA_FILE, base)
            load_lora(base, "lora", lora.tensors, keyword=lora.info.trigger_phrase)
            name = "lora"
        side = options.size or base.resolution
        seeds = options.seeds or ONE_SEED
        samples = [
            Sample(
                prompt=options.prompt,
                negative_prompt=options.negative_prompt,
                seed=seed,
                guidance=options.guidance,
                lora=name,
            )
            for seed in seeds
        ]
        pictures = generate(base, samples, width=side, height=side, steps=options.steps)
    for seed, pixels in zip(seeds, pictures, strict=True):
        settings: dict[str, provenance.Scalar] = {"Seed": seed, "Size": f"{side}x{side}"}
        record = model.record(name=model.folder.name, sha256="", prompt=options.prompt, settings=settings)
        _write(pixels, options.out, seed, record)
    _tell(f"{len(pictures)} images in {options.out}")


def _run_onnx(model: Model, options: argparse.Namespace) -> None:
    from engines.onnx.run import OnnxModel  # noqa: PLC0415 -- Linux only, as its process is confined

    values = _values(read_onnx_manifest(model.folder).inputs, options.input)
    with OnnxModel(model.folder, threads=options.threads or 1) as opened:
        result = opened.run(values, out=options.out)
    told = {name: value for name, value in result.outputs.items() if not _is_picture(value)}
    for name, value in result.outputs.items():
        if _is_picture(value):
            _name_maker(options.out / value["file"], options.out / f"{name}.png", model)
            _tell(f"{name}: {options.out / f'{name}.png'}")
    if told:
        _tell(json.dumps(told, indent=2, ensure_ascii=False))


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and "file" in value


def _name_maker(made: Path, target: Path, model: Model) -> None:
    """Give a picture that the model's process wrote its name and its note."""
    with Image.open(made) as image:
        image.load()
    made.unlink()
    provenance.write_png(image, target, model.record(name=model.folder.name, sha256=""))


def _values(ports: Sequence[Input], given: Sequence[str]) -> dict[str, Any]:
    """What stands on the command line, by the kinds of the inputs. Raises ConfigError."""
    known = {port.name: port for port in ports}
    values: dict[str, Any] = {}
    for pair in given:
        name, separator, text = pair.partition("=")
        if not separator or name not in known:
            raise ConfigError(f"Write inputs as NAME=VALUE. The names are: {', '.join(known)}.")
        values[name] = _value(known[name], text)
    return values


def _value(port: Input, text: str) -> Any:
    try:
        if port.kind == "number":
            return float(text)
        if port.kind == "vector":
            return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"{port.name} takes numbers, not “{text}”.") from error
    return Path(text) if port.kind == "image" else text


def _write(pixels: UInt8Array, out: Path, seed: int, record: Provenance) -> None:
    provenance.write_png(Image.fromarray(pixels), out / f"seed{seed:06d}.png", record)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
