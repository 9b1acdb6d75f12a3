"""Converting a stranger's `.pkl` in a process of its own (`engines.isolation`). Imports no torch."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from engines.files import atomic_folder
from engines.isolation import Confinement, call_isolated
from engines.manifest import ModelInfo, read_model_info

TOO_MUCH = (
    "Reading the file took more time or memory than is allowed, and was ended. Get the model from where it "
    "was published; convert that one on a larger machine (`python -m engines convert --trusted`) if need be."
)


@dataclass(frozen=True)
class Conversion:
    """The model folder that came out, and sentences about what differs from the original, for the user."""

    folder: Path
    info: ModelInfo
    notes: tuple[str, ...]


def convert_isolated(
    source: Path,
    target: Path,
    *,
    name: str = "",
    licence: str | None = None,
    confinement: Confinement | None = None,
) -> Conversion:
    """Like `convert`, in a process of its own; nothing is left of it when that fails.

    Raises ModelError with the reason, or when the process reached its limits. Linux only.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".work", dir=target.parent) as work:
        made = Path(work).resolve() / "model"
        notes = call_isolated(
            "engines.stylegan.convert.convert_for_host",
            {
                "source": str(source.resolve()),
                "target": str(made),
                "name": name or source.stem,
                "licence": licence,
            },
            workdir=Path(work),
            confinement=confinement,
            too_much=TOO_MUCH,
        )
        with atomic_folder(target) as draft:
            for path in made.iterdir():
                path.rename(draft / path.name)
    return Conversion(target, read_model_info(target), tuple(notes))
