"""The shipped starter weights, how they were made, and the drawn pictures they were made from."""

from pathlib import Path

from engines.errors import ModelError
from engines.manifest import GENERATOR_FILE

STARTERS_DIR = Path(__file__).parent


def available() -> list[str]:
    """Names of the shipped StyleGAN starters."""
    return sorted(path.parent.name for path in STARTERS_DIR.glob(f"*/{GENERATOR_FILE}"))


def starter_folder(name: str) -> Path:
    """The model folder of a shipped starter. Raises ModelError for a name that does not exist."""
    if name not in available():
        names = ", ".join(available()) or "none"
        message = f"There is no starter {name!r}. Give the path of a model folder or one of: {names}."
        raise ModelError(message)
    return STARTERS_DIR / name


def model_folder(name: str) -> Path:
    """A model folder given by its path or as the name of a starter. Raises ModelError as `starter_folder`."""
    path = Path(name)
    return path if path.is_dir() else starter_folder(name)
