"""Hostile pickles: nothing runs, memory stays bounded, and the refusal gives the reason."""

import contextlib
import copyreg
import io
import os
import pickle
import struct
import tracemalloc

import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pth.pickle import MAX_OPCODES, read_pickle
from lipfd_jax.checkpoints.pth.reader import open_pth
from lipfd_jax.checkpoints.pth.records import PickleError
from tests.checkpoints.pth.pth_files import (
    integer,
    integers,
    mapping,
    named,
    ordered_dict,
    program,
    storage,
    tensor,
    text,
    write_zip,
)

MEGABYTE = 2**20
GOOD = tensor("0", "Float", 1, (1,))
OS = os.mkdir.__module__.encode()  # "posix": the call below makes the canary, a folder


class State:
    """A class whose state setter would have a side effect."""

    def __setstate__(self, state):
        os.mkdir(state["path"])


def raw(value):
    """A string in the opcode of old pickles, for INST and OBJ."""
    return b"X" + struct.pack("<I", len(value)) + value


def live(path):
    """Pickles that create the folder `path` when Python's own unpickler loads them."""
    target = raw(path)
    mkdir = b"c" + OS + b"\nmkdir\n"
    arguments = target + b"\x85"
    state = b"c" + __name__.encode() + b"\nState\n"
    return {
        "reduce": mkdir + arguments + b"R",
        "stack_global": raw(OS) + raw(b"mkdir") + b"\x93" + arguments + b"R",
        "memoised": mkdir + b"q\x05" + b"0" + b"h\x05" + arguments + b"R",
        "long_memoised": mkdir + b"r\x05\x00\x00\x00" + b"0" + b"j\x05\x00\x00\x00" + arguments + b"R",
        "memoised_name": raw(b"mkdir") + b"\x94" + b"0" + raw(OS) + b"h\x00" + b"\x93" + arguments + b"R",
        "inst": b"(" + target + b"i" + OS + b"\nmkdir\n",
        "obj": b"(" + mkdir + target + b"o",
        "builtins": b"cbuiltins\neval\n" + raw(b"__import__('os').mkdir('%s')" % path) + b"\x85R",
        "getattr": (
            b"cbuiltins\ngetattr\n("
            + b"cbuiltins\n__import__\n"
            + raw(b"os")
            + b"\x85R"
            + raw(b"mkdir")
            + b"tR"
        )
        + arguments
        + b"R",
        "dotted": raw(b"os") + raw(b"path.os.mkdir") + b"\x93" + arguments + b"R",
        "setstate": state + b")\x81" + b"}" + raw(b"path") + target + b"s" + b"b",
        "setstate_by_reduce": b"ccopyreg\n__newobj__\n"
        + state
        + b"\x85R"
        + b"}"
        + raw(b"path")
        + target
        + b"sb",
        "newobj_ex": state + b")}\x92" + b"}" + raw(b"path") + target + b"sb",
        "nested": b"c_pickle\nloads\n" + b"C" + bytes([len(inner := nested(path))]) + inner + b"\x85R",
        "partial": b"cfunctools\npartial\n" + mkdir + target + b"\x86R" + b")R",
        "map": b"cbuiltins\nlist\n"
        + b"cbuiltins\nmap\n"
        + mkdir
        + b"]"
        + target
        + b"a"
        + b"\x86R"
        + b"\x85R",
    }


def nested(path):
    return b"\x80\x02c" + OS + b"\nmkdir\n" + raw(path) + b"\x85R."


TRICKS = sorted(live(b""))


def places(payload):
    """The payload as a whole file, and in place of parts of a checkpoint."""
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    view = integer(0) + integers([1]) + integers([1]) + b"\x89"
    return {
        "whole": payload,
        "optimizer": mapping(model=ordered_dict(text("a"), GOOD), optimizer=payload),
        "value": ordered_dict(text("a"), payload),
        "key": b"}" + payload + GOOD + b"s",
        "discarded": b"]" + payload + b"a" + b"q\x63" + mapping(model=ordered_dict(text("a"), GOOD)),
        "tensor_argument": rebuild + b"(" + storage("0", "Float", 1) + view + payload + b"tR",
        "storage_key": b"(" + text("storage") + named("torch", "FloatStorage") + payload + b"tQ",
        "persistent_id": payload + b"Q",
        "metadata": ordered_dict(text("a"), GOOD) + b"}" + text("_metadata") + payload + b"sb",
    }


@pytest.mark.parametrize("trick", TRICKS)
def test_pickles_that_act_are_refused_wherever_they_hide(tmp_path, trick):
    canary = tmp_path / "canary"
    payload = live(bytes(canary))[trick]
    with contextlib.suppress(Exception):
        pickle.loads(b"\x80\x04" + payload + b".")
    assert canary.exists(), "the payload does nothing even in Python's unpickler, so this would prove nothing"
    canary.rmdir()
    for place, value in places(payload).items():
        path = write_zip(tmp_path / f"{place}.pth", program(value), {"0": bytes(4)})
        with pytest.raises(CheckpointError, match="its pickle"):
            open_pth(path)
        assert not canary.exists(), place


def test_registered_extensions_are_refused(tmp_path):
    canary = tmp_path / "canary"
    copyreg.add_extension(OS.decode(), "mkdir", 7)
    try:
        for extension in (b"\x82\x07", b"\x83\x07\x00", b"\x84\x07\x00\x00\x00"):
            payload = b"\x80\x02" + extension + raw(bytes(canary)) + b"\x85R."
            pickle.loads(payload)
            canary.rmdir()
            with pytest.raises(PickleError, match="the opcode EXT"):
                read_pickle(payload)
            assert not canary.exists()
    finally:
        copyreg.remove_extension(OS.decode(), "mkdir", 7)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (named("torch", "load"), "global 'torch' 'load'"),
        (named("torch.storage", "_load_from_bytes"), "global"),
        (named("torch._utils", "_rebuild_tensor_v2.__globals__"), "global"),
        (named("collections", "OrderedDict.fromkeys"), "global"),
        (named("torch.FloatStorage", "from_file"), "global"),
        (text("torch") + integer(3) + b"\x93", "global 'torch' a int"),
        (named("numpy.core.multiarray", "scalar"), "save its weights alone"),
        (named("torch", "FloatStorage") + integer(9) + b"\x85R", "calls torch FloatStorage"),
        (named("collections", "OrderedDict") + b"]\x85R", "OrderedDict from arguments"),
        (text("OrderedDict") + b")R", "where a function"),
        (named("collections", "OrderedDict") + b"]R", "where arguments"),
        (named("torch._utils", "_rebuild_tensor_v2") + b")R", "unsupported kind of tensor"),
        (named("torch._utils", "_rebuild_parameter") + b"]NN\x87R", "where a parameter's tensor"),
        (named("torch._utils", "_rebuild_parameter") + b")R", "unsupported kind of parameter"),
        (GOOD + b"}b", "where the target of a state"),
        (ordered_dict() + mapping(_metadata=b"N", x=b"N") + b"b", "sets the state"),
        (ordered_dict() + mapping(__class__=b"N") + b"b", "sets the state"),
        (ordered_dict() + b"N}\x86b", "where a state"),
        (text("storage") + b"Q", "a storage's description"),
        (b"(" + text("module") + b"NNNNtQ", "not a storage"),
        (b"(" + text("storage") + named("collections", "OrderedDict") + b"NNNtQ", "as a storage's type"),
        (b"(" + text("storage") + named("torch", "FloatStorage") + text("0") + b"N\x88tQ", "a bool where"),
        (b"}]Ns", "a list as a key"),
        (b"}" + integers([1]) + b"Ns", "a tuple as a key"),
        (b"}" + integer(-1) + b"Ns", "as a key"),
        (b"}" + integer(2**40) + b"Ns", "as a key"),
        (mapping(a=b"N") + text("a") + b"Ns", "'a' twice"),
        (b"}(Nu", "a key without a value"),
        (b"]NNs", "where the target of an item"),
        (b"}Na", "where the target of an append"),
        (GOOD[:-1], "does not end"),
        (b"NN", "does not end"),
        (b"(N", "does not end"),
        (b"N.N", "does not end"),
        (b"N(0", "POP"),
        (b"N(a", "empty stack"),
        (b"a", "empty stack"),
        (b"(q\x00", "empty stack"),
        (b"t", "lacks a mark"),
        (b"h\x00", "undefined value"),
        (b"\x8a\x09" + bytes(9), "an integer of 9 bytes"),
        (b"X\x01\x00\x00\x00\xff", "not UTF-8"),
        (b"c" + b"a" * 2000 + b"\nb\n", "an unterminated global"),
        (b"\x80\x06N", "protocol 6"),
        (b"I01\n", "the opcode INT"),
        (b"L1L\n", "the opcode LONG"),
        (b"P1\n", "the opcode PERSID"),
        (b"\x97", "the opcode NEXT_BUFFER"),
        (b"\xff", "the opcode 0xff"),
    ],
)
def test_what_torch_save_never_writes_is_refused(value, reason):
    with pytest.raises(PickleError) as error:
        read_pickle(program(value))
    assert reason in str(error.value)


def test_a_pickle_cut_anywhere_is_refused():
    whole = program(mapping(model=ordered_dict(text("a"), GOOD), steps=integer(3)))
    read_pickle(whole)
    for length in range(len(whole)):
        with pytest.raises(PickleError):
            read_pickle(whole[:length])


def test_a_container_that_holds_itself_is_harmless(tmp_path):
    itself = b"}q\x01" + text("model") + b"h\x01s"
    with pytest.raises(CheckpointError, match="'model' holds a dict"):
        open_pth(write_zip(tmp_path / "a.pth", program(itself), {}))


@pytest.mark.parametrize(
    "deep",
    [
        b")" + b"\x85" * 300_000,
        b"]" * 300_000 + b"a" * 299_999,
        b"}" + (text("k") + b"}") * 100_000 + b"s" * 100_000,
        b"(" * 300_000 + b"t" * 300_000,
        b")q\x00" + b"h\x00\x86q\x00" * 100_000,  # 2**100000 values, were they ever walked
    ],
    ids=["tuples", "lists", "dicts", "marks", "doubling"],
)
def test_deep_nesting_needs_no_recursion(tmp_path, deep):
    weights = ordered_dict(text("a"), GOOD)
    path = write_zip(tmp_path / "a.pth", program(mapping(other=deep, model=weights)), {"0": bytes(4)})
    assert list(open_pth(path)) == ["a"]
    path = write_zip(tmp_path / "b.pth", program(ordered_dict(text("a"), deep)), {})
    with pytest.raises(CheckpointError, match="'a' holds a"):
        open_pth(path)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"\x8a\xff",
        b"X" + struct.pack("<I", 2**32 - 1),
        b"\x8d" + struct.pack("<Q", 2**62),
        b"\x8e" + struct.pack("<Q", 2**62),
        b"\x96" + struct.pack("<Q", 2**62),
        b"B" + struct.pack("<I", 2**32 - 1),
        b"\x95" + struct.pack("<Q", 2**62),
        b"Nr\xff\xff\xff\xff",
    ],
    ids=["LONG4", "LONG1", "UNICODE", "UNICODE8", "BYTES8", "BYTEARRAY8", "BYTES", "FRAME", "LONG_BINPUT"],
)
def test_huge_declared_lengths_take_no_memory(bomb):
    with tracked(limit=MEGABYTE), contextlib.suppress(PickleError):
        read_pickle(program(bomb))


@pytest.mark.parametrize("opcode", [b"}", b"N\x94"], ids=["dicts", "memo"])
def test_the_number_of_objects_is_limited(opcode):
    with tracked(limit=300 * MEGABYTE), pytest.raises(PickleError, match="more than 1,000,000 opcodes"):
        read_pickle(b"\x80\x02N" + opcode * (2 * MAX_OPCODES // len(opcode)))


def test_the_size_of_a_pickle_is_limited():
    with pytest.raises(PickleError, match="expected at most"):
        read_pickle(bytes(17 * MEGABYTE))


def test_messages_stay_short_and_printable():
    with pytest.raises(PickleError) as error:
        read_pickle(program(text("a\x1b[2J" * 10_000) + text("b") + b"\x93"))
    assert len(str(error.value)) < 400
    assert str(error.value).isprintable()


def test_plain_values_are_what_python_reads():
    values = {
        "a": [1, -1, 255, 65535, 2**31, -(2**40), 0.5, True, False, None, "é" * 300, (), (1,), (1, 2), {}]
    }
    for protocol in range(2, 6):
        assert read_pickle(pickle.dumps(values, protocol)) == values
    buffer = io.BytesIO()
    pickle._Pickler(buffer, 2).dump(values)  # the Python one, which torch.save builds on
    assert read_pickle(buffer.getvalue()) == values


@contextlib.contextmanager
def tracked(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
