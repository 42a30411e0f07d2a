"""Broken and hostile zips are refused with a reason; mutated files are refused or read correctly."""

import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pth.archive import PthArchive
from lipfd_jax.checkpoints.pth.reader import open_pth
from tests.checkpoints.pth.pth_files import ordered_dict, program, tensor, text, write_pth, write_zip

ARRAYS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.arange(5, dtype=np.int64),
    "c": np.ones(3, np.float16),
}
SIX = np.arange(6, dtype=np.float32)


@pytest.fixture
def good(tmp_path):
    return write_pth(tmp_path / "good.pth", ARRAYS)


def read_all(path):
    return {key: np.asarray(lazy) for key, lazy in open_pth(path).items()}


def refused(path, reason):
    with pytest.raises(CheckpointError) as error:
        read_all(path)
    assert reason in str(error.value)
    assert str(path) in str(error.value)


def entry(name, size, offset, *, crc=0, method=0, flags=0, compressed=None, extra=b""):
    """One entry of a zip's directory."""
    compressed = size if compressed is None else compressed
    fields = (20, 20, flags, method, 0, 0, crc, compressed, size, len(name), len(extra), 0, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *fields) + name + extra


def header(name, *, method=0):
    """Header of a member's bytes."""
    return struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, method, 0, 0, 0, 0, 0, len(name), 0) + name


def write_raw(path, body, entries, *, size=None, count=None):
    """Writes a zip of bytes and directory entries, valid or not."""
    directory = b"".join(entries)
    count = len(entries) if count is None else count
    size = len(directory) if size is None else size
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, len(body), 0)
    path.write_bytes(body + directory + end)
    return path


def raw_pth(path, pickle, tail, line):
    """Builds a zip of a pickle and, in `tail`, a storage; `line` makes its directory entry."""
    name = b"a/data.pkl"
    head = header(name) + pickle
    return write_raw(path, head + tail, [entry(name, len(pickle), 0), line(len(head))])


def one_tensor():
    return program(ordered_dict(text("t"), tensor("0", "Float", 6, (6,))))


def test_a_hand_made_zip_is_read(tmp_path):
    """So that the broken zips below are refused for their fault alone."""
    tail = header(b"a/data/0") + SIX.tobytes()
    path = raw_pth(tmp_path / "a.pth", one_tensor(), tail, lambda start: entry(b"a/data/0", 24, start))
    np.testing.assert_array_equal(np.asarray(open_pth(path)["t"]), SIX)


ZIP64 = struct.pack("<2H2Q", 1, 16, 2**63, 2**63)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"shift": -10}, "not where its directory entry points"),
        ({"shift": 1000}, "not where its directory entry points"),
        ({"shift": 2**31}, "not where its directory entry points"),
        ({"shift": -(2**20)}, "not where its directory entry points"),  # the pickle's own header
        ({"name": b"a/data/1", "local": b"a/data/0"}, "not where its directory entry points"),
        ({"size": 25}, "has 25 bytes"),
        ({"size": 2**31}, "beyond the end of the file"),
        ({"size": 2**32 - 1, "extra": ZIP64}, "beyond the end of the file"),
        ({"size": 2**32 - 1, "extra": ZIP64[:5]}, "can't be read"),
        ({"compressed": 23}, "is compressed"),
        ({"method": 8}, "is compressed"),
        ({"method": 99}, "is compressed"),
        ({"flags": 1}, "is encrypted"),
        ({"crc": 5}, "is damaged"),
        ({"name": b"a/data.pkl"}, "twice"),
        ({"name": b"a/data.pkl", "shift": -(2**20)}, "twice"),
        ({"name": b"../data/0"}, "not in one folder"),
        ({"name": b"b/data/0"}, "not in one folder"),
        ({"name": b"data"}, "not in one folder"),
    ],
)
def test_a_storage_the_directory_lies_about_is_refused(tmp_path, lie, reason):
    lie = {"name": b"a/data/0", "size": 24, "shift": 0} | lie
    name, size, shift = lie.pop("name"), lie.pop("size"), lie.pop("shift")
    tail = header(lie.pop("local", name)) + SIX.tobytes()
    path = tmp_path / "a.pth"
    raw_pth(path, one_tensor(), tail, lambda start: entry(name, size, max(start + shift, 0), **lie))
    refused(path, reason)


def test_overlapping_members_are_refused(tmp_path):
    """The second storage is inside the first, as in zips that unpack to more than they hold."""
    inner = header(b"a/data/1") + bytes(24)
    pickle = program(
        ordered_dict(text("t"), tensor("0", "Byte", 62, (62,)), text("u"), tensor("1", "Float", 6, (6,)))
    )
    first = header(b"a/data.pkl") + pickle
    second = header(b"a/data/0")
    start = len(first) + len(second)
    entries = [
        entry(b"a/data.pkl", len(pickle), 0),
        entry(b"a/data/0", len(inner), len(first)),
        entry(b"a/data/1", 24, start),
    ]
    refused(write_raw(tmp_path / "a.pth", first + second + inner, entries), "overlaps another")


def test_compressed_files_are_refused_unread(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", one_tensor())
        archive.writestr("a/data/0", bytes(100 << 20))
    tracemalloc.start()
    try:
        refused(path, "compressed")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_an_enormous_directory_is_refused_before_it_is_parsed(tmp_path):
    count = 300_000
    path = write_raw(
        tmp_path / "a.pth", header(b"a/0"), [entry(b"a/%06d" % i, 0, 0) for i in range(count)], count=9
    )
    tracemalloc.start()
    try:
        refused(path, "can't be read")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, 45, 2**31])
def test_a_directory_of_another_size_than_it_says_is_refused(tmp_path, size):
    refused(write_raw(tmp_path / "a.pth", header(b"a/b"), [entry(b"a/b", 0, 0)], size=size), "is refused")


def test_a_file_cut_anywhere_is_refused(good, tmp_path):
    whole = good.read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"truncated or damaged|not a file from torch\.save"):
            open_pth(cut)


def test_a_cut_file_says_so(good, tmp_path):
    (tmp_path / "cut.pth").write_bytes(good.read_bytes()[:-30])
    refused(tmp_path / "cut.pth", "copy it again")


def test_damaged_values_are_noticed(good, tmp_path):
    raw = bytearray(good.read_bytes())
    raw[raw.find(ARRAYS["a"].tobytes()) + 3] ^= 1
    path = tmp_path / "flipped.pth"
    path.write_bytes(raw)
    found = open_pth(path)
    with pytest.raises(CheckpointError, match="'archive/data/0' is damaged"):
        np.asarray(found["a"])
    np.testing.assert_array_equal(np.asarray(found["b"]), ARRAYS["b"])


def test_damage_is_noticed_where_only_a_part_of_a_storage_is_read(tmp_path):
    weights = ordered_dict(text("t"), tensor("0", "Float", 6, (2,)))
    path = write_zip(tmp_path / "a.pth", program(weights), {"0": SIX.tobytes()})
    np.testing.assert_array_equal(np.asarray(open_pth(path)["t"]), SIX[:2])
    raw = bytearray(path.read_bytes())
    raw[raw.find(SIX.tobytes()) + 20] ^= 1
    path.write_bytes(raw)
    refused(path, "is damaged")


def test_bytes_outside_a_member_are_never_read(good):
    archive = PthArchive(good)
    member = archive.members["data/0"]
    for offset, length in ((-1, 4), (member.size, 1), (0, member.size + 1)):
        with pytest.raises(CheckpointError, match="outside"):
            archive.read_into(member, offset, memoryview(bytearray(length)))


def test_other_files_are_named_for_what_they_are(tmp_path):
    for raw, reason in (
        (b"", "not a file from torch.save"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (bytes(257) + b"ustar" + bytes(1000), "only if you trust its origin"),
        (bytes(5000), "not a file from torch.save"),
    ):
        path = tmp_path / "other.pth"
        path.write_bytes(raw)
        refused(path, reason)
    refused(tmp_path / "nowhere.pth", "no such file")
    refused(tmp_path, "no such file")


def test_zips_behind_something_else_are_refused(good, tmp_path):
    """PyTorch would read the bytes before the zip."""
    path = tmp_path / "two.pth"
    path.write_bytes(b"#!/bin/sh\n" + good.read_bytes())
    refused(path, "not a file from torch.save")


def test_programs_big_endian_files_and_other_zips_are_refused(tmp_path):
    script = write_zip(
        tmp_path / "a.pth", one_tensor(), {}, extra=[("constants.pkl", b""), ("code/m.py", b"")]
    )
    refused(script, "TorchScript")
    refused(write_zip(tmp_path / "b.pth", one_tensor(), {"0": bytes(24)}, byteorder=b"big"), "byte order")
    with zipfile.ZipFile(tmp_path / "c.pth", "w") as archive:
        archive.writestr("a/readme.txt", b"")
    refused(tmp_path / "c.pth", "no data.pkl")
    with zipfile.ZipFile(tmp_path / "d.pth", "w"):
        pass
    refused(tmp_path / "d.pth", "not a file from torch.save")
    refused(write_zip(tmp_path / "e.pth", bytes(17 << 20), {}), "too large")


def test_files_from_before_the_byteorder_member_are_read(tmp_path):
    path = tmp_path / "old.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", one_tensor())
        archive.writestr("a/data/0", SIX.tobytes())
    np.testing.assert_array_equal(np.asarray(open_pth(path)["t"]), SIX)
