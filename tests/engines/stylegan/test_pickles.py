"""The restricted reader: what StyleGAN's files hold comes out, all else is refused, and nothing runs."""

import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch

from engines.errors import ModelError
from engines.stylegan import pickles
from engines.stylegan.pickles import Limits, Persistent, read_pickle

from .nvidia_files import SOURCE, EasyDict, Module, dumps, originals


class Raw:
    """Pickles as a call of `function` with `arguments`, as a class of an attacker would."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


@pytest.fixture
def read(tmp_path):
    """Reads bytes, or what pickling a value gives."""

    def read(content, limits=None):
        path = tmp_path / "network-snapshot.pkl"
        path.write_bytes(content if isinstance(content, bytes) else dumps(content))
        return read_pickle(path, limits)

    return read


def a_module(**tensors):
    module = Module()
    module.state["_buffers"].update(tensors)
    return module


def storage_bytes(**changes):
    """A storage of four numbers as PyTorch writes it, with parts of it changed."""
    parts = {
        "magic": 0x1950A86A20F9469CFC6C,
        "version": 1001,
        "machine": {"protocol_version": 1001, "little_endian": True, "type_sizes": {}},
        "record": ("storage", "FloatStorage", "1", "cpu", 4, None),
        "keys": ["1"],
        "count": 4,
        "data": np.arange(4, dtype="<f4").tobytes(),
        **changes,
    }
    stream = io.BytesIO()
    for name in ("magic", "version", "machine"):
        pickle.dump(parts[name], stream, 2)
    kind, storage_type, *rest = parts["record"]
    stream.write(b"\x80\x02(" + pickle.dumps(kind, 2)[2:-1] + b"ctorch\n" + storage_type.encode() + b"\n")
    stream.write(b"".join(pickle.dumps(item, 2)[2:-1] for item in rest) + b"tQ.")
    pickle.dump(parts["keys"], stream, 2)
    return stream.getvalue() + struct.pack("<q", parts["count"]) + parts["data"]


def a_tensor(size=(2, 2), strides=(2, 1), offset=0, data=None):
    """A tensor of a storage of four numbers."""
    storage = Raw(torch.storage._load_from_bytes, data or storage_bytes())
    return Raw(torch._utils._rebuild_tensor_v2, storage, offset, size, strides, False, OrderedDict())


# --- what the files hold


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_tensors_come_out_as_they_are(read, protocol):
    tensors = {
        "plain": torch.randn(3, 4),
        "scalar": torch.tensor(2.5),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "half": torch.randn(5).half(),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "part": torch.arange(10.0)[2:8:3],
    }
    content = read(dumps({"G_ema": a_module(**tensors)}, protocol))
    module = content["G_ema"]
    assert type(module) is Persistent
    assert (module.class_name, module.source) == ("Generator", SOURCE)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(module.state["_buffers"][name], tensor.detach().numpy())


def test_plain_values_come_out_as_they_are(read):
    values = {
        "text": "ä" * 300,
        "numbers": [0, -1, 255, 70_000, 1 << 40, 0.5],
        "nothing": None,
        "truth": (True, False),
        7: set("ab"),
        "easy": EasyDict(a=EasyDict(b=1)),
        "ordered": OrderedDict(x=1),
        "empty": [(), {}, [], set()],
        "scalar": np.float64(0.25),
    }
    assert read(values) == {**values, "scalar": 0.25}


def test_arrays_of_numpy_come_out_as_they_are(read):
    array = np.arange(6, dtype=np.int64).reshape(2, 3)
    np.testing.assert_array_equal(read([array])[0].values, array)
    np.testing.assert_array_equal(read([np.asfortranarray(array)])[0].values, array)


def test_names_of_numpy_1_are_known(read):
    content = dumps(np.float64(0.25), protocol=3).replace(
        b"cnumpy._core.multiarray", b"cnumpy.core.multiarray"
    )
    assert b"numpy.core.multiarray" in content
    assert read(content) == 0.25


def test_one_storage_may_serve_several_tensors(read):
    whole = torch.arange(6.0)
    first, second = read([whole[:3], whole[3:]])
    assert first.tolist() == [0, 1, 2]
    assert second.tolist() == [3, 4, 5]


def test_arrays_cannot_be_written_to(read):
    with pytest.raises(ValueError, match="read-only"):
        read([torch.zeros(3)])[0][0] = 1


# --- what must not run


def test_no_call_of_the_system_runs(read, tmp_path):
    canary = tmp_path / "canary"
    for attack in (
        Raw(os.system, f"touch {canary}"),
        {"G_ema": a_module(weight=Raw(os.system, f"touch {canary}"))},
        Raw(eval, f"open({str(canary)!r}, 'w')"),
        Raw(exec, f"open({str(canary)!r}, 'w')"),
        Raw(open, str(canary), "w"),
    ):
        with pytest.raises(ModelError, match="no StyleGAN2-ADA or StyleGAN3 model needs"):
            read(attack)
    assert not canary.exists()


def test_the_source_code_in_the_file_stays_text(read, tmp_path):
    canary = tmp_path / "canary"
    source = f"open({str(canary)!r}, 'w')\n"
    assert read(Module(source=source)).source == source
    assert not canary.exists()


def test_storages_are_no_way_in(read, tmp_path):
    canary = tmp_path / "canary"
    for attack in (Raw(os.system, f"touch {canary}"), torch.zeros(1), {"a": 1}):
        with pytest.raises(ModelError):
            read(Raw(torch.storage._load_from_bytes, pickle.dumps(attack)))
    legacy = io.BytesIO()
    torch.save(Raw(os.system, f"touch {canary}"), legacy, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match="system"):
        read(Raw(torch.storage._load_from_bytes, legacy.getvalue()))
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        b"builtins\ngetattr",
        b"torch\nload",
        b"torch.storage\n_load_from_bytes.__globals__",
        b"torch_utils.persistence\nimport_hook",
        b"numpy\nload",
        b"numpy.core.multiarray\nfromfile",
        b"functools\npartial",
        b"torch\nFloatStorage",
        b"collections\ndeque",
        b"\n",
    ],
)
def test_other_names_are_refused(read, name):
    with pytest.raises(ModelError, match="Nothing of it was run"):
        read(b"\x80\x02c" + name + b"\n.")
    module, attribute = (part.decode() for part in name.split(b"\n"))
    stacked = b"\x80\x04" + b"".join(
        b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, attribute)
    )
    with pytest.raises(ModelError, match="Nothing of it was run"):
        read(stacked + b"\x93.")


def test_names_are_shown_in_plain_letters_only(read):
    name = "os<script>\x1b\u202e" + "x" * 150
    encoded = name.encode()
    with pytest.raises(ModelError) as caught:
        read(b"\x80\x02c" + encoded + b"\nsystem\n.")
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 300


# --- files of another kind


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (struct.pack("<Q", 2) + b"{}", "a safetensors file"),
        (b"PK\x03\x04" + bytes(40), "a ZIP file"),
        (b"<!doctype html><html>", "a web page"),
        (b"version https://git-lfs", "another kind"),
        (b"", "another kind"),
        (b"\x80", "another kind"),
        (b"\x80\x09K\x01.", "another kind"),
        (b"cos\nsystem\n(S'true'\ntR.", "another kind"),  # protocol 0
    ],
)
def test_other_files_are_told_by_their_content(read, content, told):
    with pytest.raises(ModelError, match=told):
        read(content)


def test_files_of_tensorflow_are_named_with_what_to_do(read):
    with pytest.raises(ModelError, match=r"TensorFlow.*legacy\.py"):
        read(b"\x80\x03cdnnlib.tflib.network\nNetwork\n.")


# --- malformed and oversized


@pytest.mark.parametrize(
    ("size", "strides", "offset"),
    [
        ((4,), (2,), 0),
        ((2, 2), (3, 1), 0),
        ((4,), (1,), 1),
        ((3,), (-1,), 3),
        ((3,), (1,), -1),
        ((5,), (0,), 0),  # a number repeated by a stride of 0
        ((1 << 20, 1 << 20), (0, 0), 0),
        ((1 << 62,), (1,), 0),
        ((0,), (1,), 0),
        ((-2, -2), (1, 1), 0),
        ((2, 2), (1,), 0),
        ((1,) * 9, (1,) * 9, 0),
        ((True,), (1,), 0),
        ((2.0,), (1,), 0),
        ([2], [1], 0),
        ((2,), (1,), "0"),
    ],
)
def test_tensors_outside_their_storage_are_refused(read, size, strides, offset):
    with pytest.raises(ModelError, match="damaged"):
        read(a_tensor(size, strides, offset))


def test_storages_are_read_as_pytorch_writes_them(read):
    assert read(a_tensor()).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "changes",
    [
        {"magic": 1},
        {"version": 1002},
        {"machine": {"little_endian": False}},
        {"machine": None},
        {"record": ("module", "FloatStorage", "1", "cpu", 4, None)},
        {"record": ("storage", "BFloat16Storage", "1", "cpu", 4, None)},
        {"record": ("storage", "FloatStorage", "1", "cpu", 1 << 40, None)},
        {"record": ("storage", "FloatStorage", "1", "cpu", -4, None)},
        {"record": ("storage", "DoubleStorage", "1", "cpu", 4, None)},
        {"record": ("storage", "FloatStorage", "1", "cpu", 4, ("0", 0, 4))},
        {"record": ("storage", "FloatStorage", "1", "cpu", 4)},
        {"keys": ["2"]},
        {"keys": ["1", "1"]},
        {"count": 1 << 60},
        {"count": -1},
        {"data": b"short"},
        {"data": bytes(17)},
    ],
)
def test_storages_that_lie_are_refused(read, changes):
    with pytest.raises(ModelError):
        read(a_tensor(data=storage_bytes(**changes)))


def test_storages_that_are_zip_files_are_refused(read):
    stream = io.BytesIO()
    torch.save(torch.zeros(4).untyped_storage(), stream)
    with pytest.raises(ModelError):
        read(a_tensor(data=stream.getvalue()))


def test_a_storage_read_over_and_over_is_refused(read):
    data = storage_bytes()
    with pytest.raises(ModelError, match="storage bytes"):
        read([a_tensor(data=data) for _ in range(100)])  # `data` stands in the file once


def test_types_other_than_numbers_are_refused(read):
    for attack in (
        np.array([{}], dtype=object),
        np.array([1 + 1j]),
        np.zeros(2, dtype=[("a", "f4")]),
        np.array(["text"]),
        np.array([1.0], dtype=">f8"),
        Raw(np.dtype, "V1000000"),
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, dtype=torch.bfloat16),
    ):
        with pytest.raises(ModelError):
            read([attack])


def test_deep_nesting_needs_no_recursion(read):
    depth = 50_000
    nested = read(b"\x80\x02)" + b"\x85" * depth + b".")
    for _ in range(depth):
        (nested,) = nested
    assert nested == ()


@pytest.mark.parametrize(
    ("content", "limits", "kind"),
    [
        (b"\x80\x02" + b"N0" * 200 + b".", Limits(instructions=100), "instructions|instruction POP"),
        (b"\x80\x02]" + b"NNN" * 100 + b".", Limits(instructions=100), "instructions"),
        (b"\x80\x04N" + b"\x94" * 200 + b".", Limits(remembered=100), "remembered"),
        (b"\x80\x02N" + b"r\xff\xff\xff\xff" * 200 + b".", Limits(remembered=100), "remembered"),
    ],
)
def test_counts_are_bounded(read, content, limits, kind):
    with pytest.raises(ModelError, match=kind):
        read(content, limits)


def test_bytes_are_bounded(read):
    with pytest.raises(ModelError, match="more than 1 MB"):
        read(bytes((1 << 20) + 1), Limits(file_bytes=1 << 20))
    whole = torch.zeros(1000)
    with pytest.raises(ModelError, match="tensor bytes"):
        read([whole.view(10, 100), whole.view(100, 10)], Limits(tensor_bytes=7999))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02.",  # nothing on the stack
        b"\x80\x02N",  # no end
        b"\x80\x02t.",  # no mark
        b"\x80\x02N(0.",
        b"\x80\x02N(\x85.",  # reaches below the mark
        b"\x80\x02h\x07.",  # nothing remembered there
        b"\x80\x02Na.",  # append to None
        b"\x80\x02}(K\x01u.",  # a key without a value
        b"\x80\x02}]Ns.",  # a list as a key
        b"\x80\x02}))s.",  # a tuple as a key: its hash would recurse
        b"\x80\x02}\x8a\x08" + b"\xff" * 7 + b"\x1fNs.",  # a number chosen to collide
        b"\x80\x02}}b.",  # a dictionary takes no state
        b"\x80\x02N)R.",  # None is no function
        b"\x80\x02cnumpy\nndarray\n)R.",
        b"\x80\x02ccollections\nOrderedDict\n]R.",
        b"\x80\x04\x8f(]\x90.",  # a list in a set
        b"\x80\x02B\xff\xff\xff\x7fshort.",
        b"\x80\x04\x8e" + b"\xff" * 8 + b".",
        b"\x80\x04\x95" + b"\xff" * 8 + b"N",
        b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",  # not UTF-8
        b"\x80\x02ctorch_utils.persistence\n_reconstruct_persistent_obj\n}\x85R.",
    ],
)
def test_malformed_programs_are_refused(read, content):
    with pytest.raises(ModelError):
        read(content)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05N\x98.", "READONLY_BUFFER"),
        (b"\x80\x02Pname\n.", "PERSID"),
        (b"\x80\x02NQ.", "BINPERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x02(N)o.", "OBJ"),
        (b"\x80\x02I1\n.", "INT"),
        (b"\x80\x02N2.", "DUP"),
    ],
)
def test_instructions_that_pytorch_does_not_write_are_refused(read, content, name):
    with pytest.raises(ModelError, match=rf"instruction {name}\b"):
        read(content)


def test_buffers_outside_the_file_are_refused(read):
    with originals():
        content = pickle.dumps(np.arange(10_000.0), protocol=5, buffer_callback=[].append)
    with pytest.raises(ModelError):
        read(content)


def test_every_cut_is_noticed(read):
    content = dumps({"G_ema": a_module(weight=torch.randn(4, 4))})
    for length in range(0, len(content) - 1, 31):
        with pytest.raises(ModelError):
            read(content[:length])


def test_damage_gives_a_value_or_a_refusal(read):
    """Bytes changed at random: whatever they mean, nothing but ModelError comes out."""
    content = dumps({"G_ema": a_module(weight=torch.randn(2, 2), size=np.arange(2))})
    rng = np.random.RandomState(0)
    refused = 0
    for _ in range(200):
        changed = bytearray(content)
        for position in rng.randint(2, len(content), size=rng.randint(1, 4)):
            changed[position] = rng.randint(256)
        try:
            read(bytes(changed))
        except ModelError:
            refused += 1
    assert refused > 30


def test_the_table_names_what_stylegan_files_name_and_nothing_else():
    assert {name.split()[0].split(".")[0] for name in pickles._NAMES} == {
        "builtins",
        "collections",
        "dnnlib",
        "numpy",
        "torch",
        "torch_utils",
    }
    assert len(pickles._NAMES) == 13
