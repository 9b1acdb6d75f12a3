"""Running ONNX models, each in a process of its own: limited, without secrets, gone with its parent.

The file of a model may be a stranger's. It is data and nothing of it is executed as code, but it can ask for
any amount of memory and time, and the libraries that read it are large. So they are imported in that process
alone (`engines.onnx.process`), which gets limits, an empty environment and a folder to work in; whoever asks
waits no longer than is allowed, and a model that dies or hangs costs one input, not the others.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engines.errors import ModelError
from engines.isolation import ROOT, Confinement, bare_environment
from engines.onnx.manifest import OnnxManifest, read_onnx_manifest

TOO_LONG = "It took longer than is allowed and was ended. Give it a smaller input, or choose a smaller model."
DIED = "It needed more than is allowed and was ended. Give it a smaller input, or choose a smaller model."
_CLOSING_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a model may use."""

    file_bytes: int = 512 << 20
    memory_bytes: int = 4 << 30
    load_seconds: float = 60.0
    run_seconds: float = 120.0
    written_bytes: int = 256 << 20  # in any one file
    cpu_seconds: int = 4 * 3600  # of a process, over all that it runs


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a model made of one set of inputs.

    `outputs`, by the manifest's names: text str, number float, vector list, labels list of {label, score},
    boxes list of {label, score, box} with the box as left, upper, right, lower in parts of the picture, json
    anything, image {file, width, height} with a PNG in the folder that was asked for. `seconds`: of the
    network alone.
    """

    outputs: Mapping[str, Any]
    seconds: float


class OnnxModel:
    """A model folder (model.json, model.onnx) in its process. A context manager; started at first use.

        with OnnxModel(folder) as model:
            model.run({"picture": path}, out=folder_for_pictures)

    Args:
        folder: the model; None: only pictures are cleaned.
        limits: what it may use.
        threads: of the processor.
    """

    def __init__(self, folder: Path | None, *, limits: Limits | None = None, threads: int = 1) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._threads = threads
        self._manifest: OnnxManifest | None = None if folder is None else read_onnx_manifest(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._unread = b""
        self.found: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def manifest(self) -> OnnxManifest:
        """What it takes and gives."""
        assert self._manifest is not None
        return self._manifest

    def load(self) -> dict[str, Any]:
        """Start the process and load the model, if that is not done; return what was found in the file.

        `operators`, `parameters`, `opset`, `inputs`, `outputs`. Raises ModelError with the reason.
        """
        if self._process is None:
            self._start()
        return self.found

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Run the model once; `values` by the names of its inputs, pictures as paths. Missing: the default.

        Pictures are written into the folder `out`. Raises ModelError for what it cannot be given, what it
        cannot do, and where it reached its limits; the next call starts anew then.
        """
        self.load()
        given = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
        reply = self._ask({"values": given, "out": f"{out.resolve()}/"}, self._limits.run_seconds)
        return Result(outputs=reply["outputs"], seconds=reply["seconds"])

    def clean_picture(self, picture: Path, out: Path) -> tuple[int, int]:
        """Write a stranger's picture to `out` as a PNG: upright, RGB, bounded, without what came with it.

        Return its width and height. Raises ModelError with a plain reason.
        """
        self.load()
        request = {"picture": str(picture.resolve()), "out": str(out.resolve())}
        reply = self._ask(request, self._limits.run_seconds)
        return reply["width"], reply["height"]

    def close(self) -> None:
        """End the process."""
        process, self._process, self._unread = self._process, None, b""
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(_CLOSING_SECONDS)
            except subprocess.TimeoutExpired:
                _kill(process)
            process.stdout.close()
        if self._home is not None:
            self._home.cleanup()
            self._home = None

    def _start(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="atelier-onnx-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engines.onnx.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=bare_environment(self._home.name),
            start_new_session=True,
        )
        confinement = Confinement(
            memory_bytes=self._limits.memory_bytes,
            cpu_seconds=self._limits.cpu_seconds,
            written_bytes=self._limits.written_bytes,
        )
        request = {
            "folder": str(self._folder.resolve()) if self._folder else "",
            "manifest": dict(self._manifest.content) if self._manifest else None,
            "confinement": asdict(confinement),
            "max_bytes": self._limits.file_bytes,
            "threads": self._threads,
        }
        try:
            self.found = self._ask(request, self._limits.load_seconds)
        except ModelError:
            self.close()
            raise

    def _ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Ask the process and wait for its answer. Raises ModelError; a process that failed us is ended."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = self._read_line(process, seconds)
        except BrokenPipeError:
            line = b""
        except TimeoutError as error:
            _kill(process)
            self.close()
            raise ModelError(TOO_LONG) from error
        if not line:
            self.close()
            raise ModelError(DIED)
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise ModelError(reply["error"])
        return reply

    def _read_line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """Return the next line, or nothing when the process is gone. Raises TimeoutError."""
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([descriptor], [], [], seconds)[0]:
                raise TimeoutError
            got = os.read(descriptor, 1 << 16)
            if not got:
                return b""
            self._unread += got
        line, _newline, self._unread = self._unread.partition(b"\n")
        return line


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
