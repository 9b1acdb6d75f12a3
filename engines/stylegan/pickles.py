"""Reading the `.pkl` files of StyleGAN2-ADA and StyleGAN3 as plain data, never as programs.

Such a file holds a dictionary with the networks. The original rebuilds each of them by running source code
that stands in the file; here that code stays text (`Persistent.source`). Numbers come out as read-only NumPy
arrays that share the file's bytes. No torch here.
"""

import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from engines.errors import ModelError
from engines.stylegan.unpickle import MALFORMED, Budget, Buildable, Global, Machine

Array = npt.NDArray[Any]

MAX_PROTOCOL = 5
MAX_DIMENSIONS = 8
MAX_SIDE = 1 << 31
MAX_SET = 1000
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
TORCH_PROTOCOL = 1001
NUMPY_DTYPES = frozenset({"b1", "u1", "i4", "i8", "f2", "f4", "f8"})
STORAGE_DTYPES = MappingProxyType(
    {
        "HalfStorage": "<f2",
        "FloatStorage": "<f4",
        "DoubleStorage": "<f8",
        "ByteStorage": "|u1",
        "IntStorage": "<i4",
        "LongStorage": "<i8",
    }
)
DAMAGED = (
    "The file is damaged, or StyleGAN2-ADA and StyleGAN3 did not write it. Nothing of it was run. "
    "Get it again from where it was published."
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a file may ask for. The largest published models have 400 MB and some 40,000 instructions."""

    file_bytes: int = 2 << 30
    instructions: int = 1_000_000  # those inside storages included
    remembered: int = 200_000  # values kept for later use
    tensor_bytes: int = 4 << 30  # of all tensors together; several may share one storage


@dataclass(frozen=True, eq=False)
class Persistent:
    """An object that the original rebuilds by running `source`."""

    class_name: str
    source: str
    state: Mapping[Any, Any]


def read_pickle(path: Path, limits: Limits | None = None) -> Any:
    """The content of a StyleGAN pickle: dictionaries, lists, tuples, plain values, arrays and `Persistent`.

    Raises ModelError for whatever else the file is or asks for, and never runs any of it.
    """
    limits = limits or Limits()
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise ModelError(f"The file has more than {limits.file_bytes >> 20} MB, as no StyleGAN model does.")
    budget = Budget(
        instructions=limits.instructions,
        remembered=limits.remembered,
        storage_bytes=size,  # each storage stands in the file once
        tensor_bytes=limits.tensor_bytes,
    )
    with path.open("rb") as file:
        _check_kind(file.read(16))
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return Machine(cast("IO[bytes]", mapped), budget, _NAMES).run()
        except MALFORMED as error:
            raise ModelError(DAMAGED) from error
        except MemoryError as error:
            raise ModelError("The file needs more memory than reading it may take.") from error


def _check_kind(start: bytes) -> None:
    if len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= MAX_PROTOCOL:
        return
    if start[:4] == b"PK\x03\x04":
        told = "a ZIP file, perhaps a checkpoint of another program"
    elif start[8:9] == b"{":
        told = "a safetensors file"
    elif start[:1] in {b"<", b"{"}:
        told = "text or a web page"
    else:
        told = "a file of another kind"
    raise ModelError(f"This is {told}, not a .pkl of StyleGAN2-ADA or StyleGAN3. Choose the .pkl itself.")


def _need(condition: object) -> None:
    if not condition:
        raise ValueError("a value is not of the form that StyleGAN files have")


@dataclass(frozen=True, eq=False)
class _Storage:
    numbers: Array


@dataclass(eq=False)
class _Dtype(Buildable):
    dtype: np.dtype[Any]

    def build(self, state: Any) -> None:
        """(version, byte order, and what only structured types have)."""
        _need(state[1] in ("<", "|") and state[2:5] == (None, None, None))


@dataclass(eq=False)
class _NumpyArray(Buildable):
    """None of those in a StyleGAN file is a weight, but they are part of it."""

    values: Array | None = None

    def build(self, state: Any) -> None:
        """(version, shape, dtype, whether columns come first, bytes)."""
        _, shape, dtype, fortran, data = state
        _need(type(dtype) is _Dtype and type(data) is bytes and _are_sizes(shape))
        self.values = np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if fortran else "C")


def _are_sizes(values: Any, *, least: int = 1) -> bool:
    return (
        type(values) is tuple
        and len(values) <= MAX_DIMENSIONS
        and all(type(value) is int and least <= value < MAX_SIDE for value in values)
    )


def _dictionary(_: Budget, arguments: Any) -> dict[Any, Any]:
    _need(arguments == ())
    return {}


def _set(_: Budget, arguments: Any) -> set[str]:
    (items,) = arguments
    _need(type(items) is list and len(items) <= MAX_SET and all(type(item) is str for item in items))
    return set(items)


def _persistent(_: Budget, arguments: Any) -> Persistent:
    (meta,) = arguments
    _need(meta["type"] == "class")
    class_name, source, state = meta["class_name"], meta["module_src"], meta["state"]
    _need(type(class_name) is str and type(source) is str and type(state) is dict)
    return Persistent(class_name, source, state)


def _storage(budget: Budget, arguments: Any) -> _Storage:
    """A storage as PyTorch writes it inside a pickle: its legacy format (never its ZIP), five pickles long.

    They are: a magic number, a version, facts of the machine, the storage's type and size under a key, and
    the list of keys; then the size again and the numbers.
    """
    (data,) = arguments
    _need(type(data) is bytes)
    budget.spend("storage_bytes", len(data))
    stream = BytesIO(data)
    magic, version, machine, record, keys = (
        Machine(stream, budget, _STORAGE_NAMES, _storage_record).run() for _ in range(5)
    )
    _need(magic == TORCH_MAGIC and version == TORCH_PROTOCOL and machine["little_endian"] is True)
    _need(type(record) is _StorageRecord and keys == [record.key])
    start = stream.tell() + 8
    _need(int.from_bytes(data[start - 8 : start], "little") == record.count)
    _need(len(data) == start + record.count * record.dtype.itemsize)
    return _Storage(np.frombuffer(data, record.dtype, offset=start))


@dataclass(frozen=True, eq=False)
class _StorageRecord:
    dtype: np.dtype[Any]
    key: str
    count: int


def _storage_record(arguments: Any) -> _StorageRecord:
    kind, storage_type, key, _, count, view = arguments
    _need(kind == "storage" and type(storage_type) is Global and type(key) is str and view is None)
    _need(_are_sizes((count,), least=0))
    return _StorageRecord(np.dtype(STORAGE_DTYPES[storage_type.name]), key, count)


def _tensor(budget: Budget, arguments: Any) -> Array:
    """A view of a storage, which must hold all of it: (storage, offset, size, strides, ...)."""
    storage, offset, size, strides = arguments[:4]
    _need(type(storage) is _Storage and _are_sizes((offset,), least=0))
    _need(_are_sizes(size) and _are_sizes(strides, least=0) and len(size) == len(strides))
    numbers, itemsize = storage.numbers, storage.numbers.itemsize
    last = offset + sum((side - 1) * stride for side, stride in zip(size, strides, strict=True))
    # No more numbers than the storage has: nothing repeated over and over by strides of 0.
    _need(last < len(numbers) and math.prod(size) <= len(numbers))
    budget.spend("tensor_bytes", math.prod(size) * itemsize)
    return np.lib.stride_tricks.as_strided(
        numbers[offset:], size, [stride * itemsize for stride in strides], writeable=False
    )


def _parameter(_: Budget, arguments: Any) -> Array:
    tensor: Array = arguments[0]
    _need(isinstance(tensor, np.ndarray))
    return tensor


def _numpy_dtype(_: Budget, arguments: Any) -> _Dtype:
    _need(arguments[0] in NUMPY_DTYPES)
    return _Dtype(np.dtype(arguments[0]))


def _numpy_scalar(_: Budget, arguments: Any) -> Any:
    dtype, data = arguments
    _need(type(dtype) is _Dtype and type(data) is bytes and len(data) == dtype.dtype.itemsize)
    return np.frombuffer(data, dtype.dtype)[0].item()


def _numpy_array(_: Budget, arguments: Any) -> _NumpyArray:
    _need(type(arguments[0]) is Global and arguments[0].name == "ndarray")
    return _NumpyArray()


def _not_callable(_: Budget, __: Any) -> None:
    _need(condition=False)


_CALLS = {
    "builtins set": _set,  # protocol 3 has no instruction for sets
    "collections OrderedDict": _dictionary,
    "dnnlib.util EasyDict": _dictionary,
    "torch_utils.persistence _reconstruct_persistent_obj": _persistent,
    "torch.storage _load_from_bytes": _storage,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    "numpy dtype": _numpy_dtype,
    "numpy ndarray": _not_callable,
    "numpy.core.multiarray scalar": _numpy_scalar,  # NumPy 1
    "numpy.core.multiarray _reconstruct": _numpy_array,
    "numpy._core.multiarray scalar": _numpy_scalar,
    "numpy._core.multiarray _reconstruct": _numpy_array,
}
_NAMES = MappingProxyType({name: Global(name.split()[1], call) for name, call in _CALLS.items()})
_STORAGE_NAMES = MappingProxyType({f"torch {name}": Global(name, _not_callable) for name in STORAGE_DTYPES})
