"""`python -m engines COMMAND`: the engines without server, account or Django."""

import argparse
import itertools
import signal
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from engines.crops import CROP_MODES
from engines.dataset import PreparedDataset, prepare
from engines.errors import DatasetError, EngineError, ModelError
from engines.exploring import add_commands
from engines.files import atomic_folder
from engines.manifest import ModelInfo, read_model_info, verify_files
from engines.progress import TerminalHost
from engines.running import add_arguments, opened_model, run
from engines.starters import model_folder
from engines.stylegan.config import PRESETS, Architecture, Preset, preset_for
from engines.stylegan.convert import NVIDIA_LICENCE, convert
from engines.stylegan.distributed import joined
from engines.stylegan.isolation import convert_isolated
from engines.stylegan.probe import write_probe
from engines.stylegan.train import train

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"}
MAX_IMAGES_PER_RUN = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors are told in one line."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except EngineError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engines", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("train", help="train a model on a folder or ZIP of pictures")
    command.set_defaults(command=_train)
    command.add_argument("--images", type=Path, required=True, help="folder or ZIP of pictures")
    command.add_argument("--out", type=Path, required=True, help="where to work; run again to resume")
    command.add_argument(
        "--start", help="name of a shipped starter or a model folder; left out: from scratch"
    )
    command.add_argument("--preset", choices=PRESETS, default="cpu64", help="sizes and settings from scratch")
    command.add_argument("--steps", type=int, help="updates of the generator (default: the preset's)")
    command.add_argument("--crop", choices=CROP_MODES, default="center")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=1)
    command.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="do not show pictures reversed"
    )
    command.add_argument("--snapshot-every", type=int, default=250, metavar="STEPS")
    command.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--batch", type=int, help="images of each update (default: the preset's)")
    command.add_argument(
        "--micro-batch", type=int, metavar="N", help="images in memory at once (default: the preset's)"
    )

    command = commands.add_parser("run", help="run a model: a bundle, a model folder or a shipped starter")
    command.set_defaults(command=run)
    command.add_argument("model", help="bundle (ZIP or unpacked), model folder, or name of a shipped starter")
    command.add_argument("--seeds", type=_seeds, help="for example 0-15 or 3,14,159")
    command.add_argument("--truncation", type=float, default=1.0, help="below 1: more typical, less varied")
    command.add_argument("--out", type=Path, required=True, help="folder for what it makes")
    add_arguments(command)
    command.add_argument("--threads", type=int)

    command = commands.add_parser("convert", help="make a model folder out of a StyleGAN2-ADA or 3 .pkl")
    command.set_defaults(command=_convert)
    command.add_argument("pickle", type=Path, help="the .pkl; nothing in it is run")
    command.add_argument("--out", type=Path, required=True, help="the model folder to write")
    command.add_argument("--name", default="", help="of the model (default: the file's)")
    command.add_argument("--licence", default=NVIDIA_LICENCE, help="of the weights (default: %(default)s)")
    command.add_argument(
        "--trusted", action="store_true", help="read it here, not in a process with limits and no secrets"
    )

    command = commands.add_parser("export", help="write a StyleGAN model as ONNX, compared with the original")
    command.set_defaults(command=_export)
    command.add_argument("model", help="bundle, model folder, or name of a shipped starter")
    command.add_argument(
        "--out", type=Path, required=True, help="the folder to write: model.onnx, model.json"
    )

    command = commands.add_parser("info", help="tell what a model folder holds, and check its files")
    command.set_defaults(command=_info)
    command.add_argument("model", help="model folder, or name of a shipped starter")

    command = commands.add_parser("probe", help="measure how long a training takes on this machine")
    command.set_defaults(command=_probe)
    command.add_argument("--preset", choices=PRESETS, default="cpu64")
    command.add_argument("--base", type=Path, help="a text-to-image base: measure a LoRA's training on it")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--threads", type=int, default=1)
    command.add_argument("--out", type=Path, required=True, help="the JSON file to write")

    add_commands(commands)
    return parser


def _train(options: argparse.Namespace) -> int:
    """Train in this process, or in each of those that torchrun started."""
    start = model_folder(options.start) if options.start else None
    preset = _preset(start, options.preset)
    overrides = {
        name: getattr(options, name)
        for name in ("steps", "batch", "micro_batch")
        if getattr(options, name) is not None
    }
    with joined(options.device) as ranks:
        with ranks.first_goes_ahead():
            dataset = _prepared(options, preset.architecture.resolution)
        config = preset.config(
            dataset=dataset.path,
            run_dir=options.out,
            start=start,
            seed=options.seed,
            mirror=options.mirror,
            threads=options.threads,
            snapshot_every=options.snapshot_every,
            precision=options.precision,
            device=options.device,
            name=options.out.name,
            **overrides,
        )
        host = TerminalHost()
        previous = signal.signal(signal.SIGINT, lambda *_: host.request_stop())
        try:
            result = train(config, host, ranks)
        finally:
            signal.signal(signal.SIGINT, previous)
    if result.snapshot and ranks.is_first:
        sys.stdout.write(f"{result.outcome} at step {result.step}: {result.snapshot.folder}\n")
    return 0


def _convert(options: argparse.Namespace) -> int:
    if not options.pickle.is_file():
        raise ModelError(f"There is no file {options.pickle}. Give the path of a .pkl.")
    read = convert if options.trusted else convert_isolated
    conversion = read(options.pickle, options.out, name=options.name, licence=options.licence)
    sys.stdout.write(_description(conversion.info) + "\n")
    sys.stdout.writelines(f"{note}\n" for note in conversion.notes)
    return 0


def _export(options: argparse.Namespace) -> int:
    # Needs onnx and onnxruntime, which nothing else here does.
    from engines.stylegan.export import export_onnx  # noqa: PLC0415

    with opened_model(options.model) as model:
        difference = export_onnx(model.folder, options.out)
    sys.stdout.write(f"{options.out}, at most {difference:.1e} from the original\n")
    return 0


def _info(options: argparse.Namespace) -> int:
    folder = model_folder(options.model)
    info = read_model_info(folder)
    verify_files(folder, info)
    sys.stdout.write(_description(info) + "\n")
    return 0


def _probe(options: argparse.Namespace) -> int:
    machine = {"device": options.device, "threads": options.threads}
    if options.base is None:
        speed = write_probe(options.preset, options.out, **machine)
    else:
        # These parts import slowly, and nothing else here needs them.
        from engines.diffusion.probe import write_probe as write_lora_probe  # noqa: PLC0415

        speed = write_lora_probe(options.base, options.out, **machine)
    for name, seconds in asdict(speed).items():
        sys.stdout.write(f"{name:9} {seconds:8.3f} s\n")
    return 0


def _description(info: ModelInfo) -> str:
    lines = [
        f"name         {info.name or '(none)'}",
        f"family       {info.family}, {info.resolution} pixels",
        f"sha256       {info.sha256}",
        f"trained on   {_experience(info)}",
        f"licence      {info.licence or '(not stated)'}",
    ]
    lines += [
        f"made from    {entry['kind']} {entry['sha256'][:16]} {entry.get('name', '')}"
        for entry in info.lineage
    ]
    lines += [f"file         {name} {digest[:16]}" for name, digest in info.files.items()]
    return "\n".join(line.rstrip() for line in lines)


def _experience(info: ModelInfo) -> str:
    if not info.nimg:
        return "(not stated)"
    return f"{info.nimg} images in all, {info.step} steps in the last training"


def _preset(start: Path | None, name: str) -> Preset:
    if start is None:
        return PRESETS[name]
    return preset_for(Architecture.from_dict(read_model_info(start).architecture))


def _prepared(options: argparse.Namespace, resolution: int) -> PreparedDataset:
    """Prepare the pictures in <out>/dataset; a ZIP is unpacked beside it first."""
    if options.images.is_file():
        folder = options.out / "pictures"
        _unpack(options.images, folder)
    else:
        folder = options.images
    pictures = [
        (path.relative_to(folder).as_posix(), path)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES
    ]
    if not pictures:
        raise DatasetError(
            f"There are no pictures in {options.images}. Give a folder or a ZIP with JPEG or PNG files."
        )
    dataset = prepare(
        pictures, options.out / "dataset", resolution=resolution, crop=options.crop, seed=options.seed
    )
    for refusal in dataset.refused:
        sys.stderr.write(f"left out {refusal.name}: {refusal.reason}\n")
    return dataset


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the pictures of a ZIP under numbered names: no name in it can lead outside the folder."""
    try:
        with zipfile.ZipFile(archive) as file, atomic_folder(folder) as draft:
            for index, member in enumerate(sorted(file.namelist())):
                suffix = PurePosixPath(member).suffix.lower()
                if suffix in PICTURE_SUFFIXES:
                    (draft / f"{index:06d}{suffix}").write_bytes(file.read(member))
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{archive} is not a readable ZIP file. Pack the pictures again.") from error


def _seeds(text: str) -> list[int]:
    """`0-15`, `3,14,159`, or both mixed."""
    try:
        bounds = [part.split("-", 1) for part in text.split(",")]
        ranges = [range(int(pair[0]), int(pair[-1]) + 1) for pair in bounds]
    except ValueError as error:
        raise argparse.ArgumentTypeError("write seeds like 0-15 or 3,14,159") from error
    if not 1 <= sum(map(len, ranges)) <= MAX_IMAGES_PER_RUN:
        raise argparse.ArgumentTypeError(f"ask for 1 to {MAX_IMAGES_PER_RUN} seeds")
    return list(itertools.chain(*ranges))


if __name__ == "__main__":
    sys.exit(main())
