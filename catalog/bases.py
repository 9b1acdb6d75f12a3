"""Folders on the server's disk that may become bases of text to image, and what to know before one does."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from catalog.exceptions import BrokenModelError
from engines.diffusion.estimates import Work, work_of
from engines.diffusion.folders import INDEX_FILE, needed_files, read_base
from engines.diffusion.manifests import base_resolution
from engines.errors import ModelError
from jobs import speed

_DEPTH = ("*", "*/*", "*/*/*")  # how far below BASES_DIR folders are looked for

KINDS: dict[str, str | Promise] = {
    "starter": _("Atelier's small base"),
    "sd15": "Stable Diffusion 1",
    "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3",
    "flux": "FLUX.1",
}


@dataclass(frozen=True, kw_only=True)
class BasePreview:
    """What a folder holds and what using it asks for.

    Attributes:
        folder: where it lies.
        kind: the kind of base, in words.
        resolution: side of its pictures in pixels.
        parameters: of all components.
        size_bytes: what would be copied.
        generate_bytes: memory for making pictures, about.
        train_bytes: memory for training, about.
        seconds: on this machine, about; None before its speed was measured.
    """

    folder: Path
    kind: str | Promise
    resolution: int
    parameters: int
    size_bytes: int
    generate_bytes: int
    train_bytes: int
    seconds: Work | None


def found_folders() -> list[str]:
    """Return the folders below BASES_DIR that look like a base, by their path from there."""
    root: Path = settings.BASES_DIR
    found = {path.parent for pattern in _DEPTH for path in root.glob(f"{pattern}/{INDEX_FILE}")}
    return sorted(path.relative_to(root).as_posix() for path in found)


def preview_base(folder: Path) -> BasePreview:
    """Look at a folder without loading it. Raises BrokenModelError that names what does not fit."""
    try:
        info = read_base(folder)
        size_bytes = sum((folder / name).stat().st_size for name in needed_files(info))
        resolution, work = base_resolution(info), work_of(info)
    except ModelError as error:
        raise BrokenModelError(str(error)) from error
    billions = speed.known()
    return BasePreview(
        folder=folder,
        kind=KINDS[info.family],
        resolution=resolution,
        parameters=sum(info.parameters.values()),
        size_bytes=size_bytes,
        generate_bytes=info.memory_bytes(training=False),
        train_bytes=info.memory_bytes(training=True),
        seconds=work.seconds(billions) if billions else None,
    )
