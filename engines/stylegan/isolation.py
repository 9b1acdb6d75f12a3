"""Converting a stranger's `.pkl` in a process of its own: limited, without secrets, gone with its parent.

Reading such a file runs nothing of it. The process is a second wall, should that reading have a mistake, and
keeps a file that costs too much from taking the host down.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from engines import hardware
from engines.errors import EngineError, ModelError
from engines.files import atomic_folder
from engines.manifest import read_model_info
from engines.stylegan.convert import NVIDIA_LICENCE, Conversion, convert

PR_SET_PDEATHSIG = 1  # constants of Linux's prctl.h
PR_SET_NO_NEW_PRIVS = 38
OPEN_FILES = 256
ROOT = Path(__file__).resolve().parents[2]  # what holds the package `engines`
TOO_MUCH = (
    "Reading the file took more time or memory than is allowed, and was ended. Get the model from where it "
    "was published; convert that one on a larger machine (`python -m engines convert --trusted`) if need be."
)


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What the process may use."""

    memory_bytes: int = 6 << 30
    cpu_seconds: int = 900
    wall_seconds: int = 1800
    written_bytes: int = 4 << 30  # in any one file


def convert_isolated(
    source: Path,
    target: Path,
    *,
    name: str = "",
    licence: str = NVIDIA_LICENCE,
    confinement: Confinement | None = None,
) -> Conversion:
    """Like `convert`, in a process of its own; nothing is left of it when that fails.

    Raises ModelError with the reason, or when the process reached its limits. Linux only.
    """
    confinement = confinement or Confinement()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".work", dir=target.parent) as work:
        made = Path(work).resolve() / "model"
        request = {
            "source": str(source.resolve()),
            "target": str(made),
            "name": name or source.stem,
            "licence": licence,
            "confinement": asdict(confinement),
        }
        reply = _ask(request, confinement, work)
        if "error" in reply:
            raise ModelError(reply["error"])
        with atomic_folder(target) as draft:
            for path in made.iterdir():
                path.rename(draft / path.name)
    return Conversion(target, read_model_info(target), tuple(reply["notes"]))


def _ask(request: dict[str, Any], confinement: Confinement, work: str) -> Any:
    # The environment is made anew: keys and passwords of the host stay with the host.
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": work,
        "TMPDIR": work,
        "OMP_NUM_THREADS": "1",
    }
    try:
        done = subprocess.run(  # noqa: S603 (our own module; paths travel on standard input)
            [sys.executable, "-m", __name__],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=confinement.wall_seconds,
            start_new_session=True,
            check=True,
        )
        return json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise ModelError(TOO_MUCH) from error


def _confine(confinement: Confinement) -> None:
    """Take from this process what reading a file does not need."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for kind, limit in (
        (resource.RLIMIT_DATA, confinement.memory_bytes),  # what it allocates, not what libraries map
        (resource.RLIMIT_CPU, confinement.cpu_seconds),
        (resource.RLIMIT_FSIZE, confinement.written_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    torch.set_num_threads(1)
    hardware.tune_allocator()


def _main() -> int:
    """The process: a request on standard input, a reply on standard output, both JSON."""
    request = json.load(sys.stdin)
    _confine(Confinement(**request["confinement"]))
    reply: dict[str, Any]
    try:
        conversion = convert(
            Path(request["source"]),
            Path(request["target"]),
            name=request["name"],
            licence=request["licence"],
        )
        reply = {"notes": conversion.notes}
    except EngineError as error:
        reply = {"error": str(error)}
    json.dump(reply, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
