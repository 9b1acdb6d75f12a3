"""Work on a stranger's file in a process of its own: limited, without secrets, gone with its parent.

What reads such files runs nothing of them. The process is a second wall, should that reading have a mistake,
and keeps a file that costs too much from taking the host down. Imports no torch; the process does if need be.
"""

import ctypes
import importlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engines.errors import EngineError, ModelError

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # constants of Linux's prctl.h
PR_SET_NO_NEW_PRIVS = 38
OPEN_FILES = 256
ROOT = Path(__file__).resolve().parents[1]  # what holds the package `engines`
TOO_MUCH = (
    "Reading the file took more time or memory than is allowed, and was ended. Get the model from where it "
    "was published, or bring a smaller one."
)


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What the process may use."""

    memory_bytes: int = 6 << 30
    cpu_seconds: int = 900
    wall_seconds: int = 1800
    written_bytes: int = 4 << 30  # in any one file


def call_isolated(
    function: str,
    arguments: Mapping[str, Any],
    *,
    workdir: Path,
    confinement: Confinement | None = None,
    too_much: str = TOO_MUCH,
) -> Any:
    """Call `package.module.function(**arguments)` in a process of its own; arguments and result are JSON.

    `workdir` is its home and its folder for what is passing. Raises ModelError with the reason that the
    function gave, or with `too_much` where the process reached its limits or broke. Linux only.
    """
    confinement = confinement or Confinement()
    request = {"function": function, "arguments": dict(arguments), "confinement": asdict(confinement)}
    try:
        done = subprocess.run(  # noqa: S603 (our own module; paths travel on standard input)
            [sys.executable, "-m", __name__],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=bare_environment(workdir),
            timeout=confinement.wall_seconds,
            start_new_session=True,
            check=True,
        )
        reply = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        logger.warning("%s in a process of its own ended: %s", function, _told(error))
        raise ModelError(too_much) from error
    if "error" in reply:
        raise ModelError(reply["error"])
    return reply["result"]


def bare_environment(home: Path | str) -> dict[str, str]:
    """Return the environment of such a process, made anew: keys and passwords of the host stay with it."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def _told(error: Exception) -> str:
    lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def confine(confinement: Confinement) -> None:
    """Take from this process what it does not need; it dies with the thread that started it."""
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


def _main() -> int:
    """The process: a request on standard input, a reply as the last line of standard output, both JSON."""
    request = json.load(sys.stdin)
    module, _, name = request["function"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    confine(Confinement(**request["confinement"]))
    reply: dict[str, Any]
    try:
        reply = {"result": function(**request["arguments"])}
    except EngineError as error:
        reply = {"error": str(error)}
    sys.stdout.write(f"\n{json.dumps(reply)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
