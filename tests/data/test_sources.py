"""Opening data: a folder of composites, a TFDS build, and what is wrong with the rest."""

import http.server
import os
import pathlib
import re
import shutil
import tempfile
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from array_record.python import array_record_data_source, array_record_module

from lipfd_jax.data import records, sources
from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.data.sources import CompositeFolder, Records, open_source
from lipfd_jax.storage.unavailable import Patience, StorageUnavailable


@pytest.fixture
def pictures(tmp_path, make_record):
    """Three composites and some files that are none."""
    for name in ("0_real/7_10.png", "0_real/7_2.png", "1_fake/a_b_0.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make_record(1, 0, "composite")["composite"])
    for name in ("0_real/note.txt", "0_real/picture.png", "1_fake/Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_folder_of_composites_in_natural_order(pictures):
    source = open_source(str(pictures))
    assert isinstance(source, CompositeFolder)
    samples = [records.decode_metadata(source[i]) for i in range(len(source))]
    assert [records.composite_path(s) for s in samples] == [
        *("0_real/7_2.png", "0_real/7_10.png", "1_fake/a_b_0.png")
    ]
    assert [s["label"] for s in samples] == [0, 0, 1]
    assert [s["source"] for s in samples] == ["7", "7", "a_b"]
    assert samples[0]["start_frame"] == -1
    assert records.decode_record(source[0])["composite"].any()


def test_the_folder_says_how_its_windows_were_cut(pictures):
    assert sources.find_window_convention(open_source(str(pictures))) == "released"
    (pictures / "windows.txt").write_text("paper\n")
    source = open_source(str(pictures))
    (pictures / "windows.txt").unlink()  # read once, not for every record
    assert sources.find_window_convention(source) == source[2]["windows"] == "paper"


def test_a_corrupt_first_record_does_not_hide_the_windows(make_record):
    class Damaged(list):
        def __getitem__(self, index):
            if index == 0:
                raise CorruptRecord("record 0")
            return super().__getitem__(index)

    assert sources.find_window_convention(Damaged([None, make_record(1, 0)])) == "paper"
    with pytest.raises(CorruptRecord, match="record 0"):
        sources.find_window_convention(Damaged([None]))


def test_a_wrong_note_on_the_windows_is_refused(pictures):
    (pictures / "windows.txt").write_text("papr\n")
    with pytest.raises(ValueError, match=r"windows\.txt: 'papr', expected one of"):
        open_source(str(pictures))


def test_a_missing_shard_is_trouble_of_the_machine_and_no_corrupt_record(built, tmp_path):
    shutil.copytree(built / "avlips", tmp_path / "avlips")
    source = open_source(str(tmp_path), split="train")
    for shard in (tmp_path / "avlips").rglob("*train*array_record*"):
        shard.unlink()
    with pytest.raises(OSError, match=r"record 0 of split 'train' can't be read"):
        source[0]


def test_a_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "0_real").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no composites named NAME_J\.png"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("below", ["", "avlips", "avlips/avlips", "avlips/avlips/1.0.0"])
def test_a_build_is_found_from_any_folder_on_the_way(built, below):
    source = open_source(str(built / below), split="train")
    assert isinstance(source, Records)
    assert sources.find_window_convention(source) == "paper"
    assert records.decode_record(source[0])["composite"].any()


def test_splits_hold_all_records_once(built):
    names = []
    for split in ("train", "validation", "test"):
        source = open_source(str(built), split=split)
        names += [records.composite_path(records.decode_metadata(source[i])) for i in range(len(source))]
    assert len(names) == len(set(names)) == 64


def test_a_part_of_a_split_can_be_opened(built):
    whole, half = (open_source(str(built), split=split) for split in ("train", "train[:50%]"))
    assert 0 < len(half) < len(whole)


def test_an_empty_part_of_a_split_is_refused(built):
    with pytest.raises(ValueError, match=r"split 'test\[:0\]' is empty"):
        open_source(str(built), split="test[:0]")
    with pytest.raises(ValueError, match=r"split 'test\[50%:10%\]' is empty"):
        open_source(str(built), split="test[50%:10%]")


def test_a_folder_without_a_build_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no TFDS build and no folder of composites.*lipfd build"):
        open_source(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="absent"):
        open_source(str(tmp_path / "absent"))


def test_an_unknown_split_or_config_is_named(built):
    with pytest.raises(ValueError, match=r"no split 'dev'; there are .*train"):
        open_source(str(built), split="dev")
    with pytest.raises(FileNotFoundError, match="no TFDS build of config 'folder'"):
        open_source(str(built), builder_config="folder")


def test_several_configs_must_be_told_apart(built, tmp_path):
    for config in ("avlips", "avlips-released"):
        shutil.copytree(built / "avlips/avlips/1.0.0", tmp_path / "avlips" / config / "1.0.0")
    with pytest.raises(ValueError, match=r"several configs \(avlips, avlips-released\); name one"):
        open_source(str(tmp_path))
    assert len(open_source(str(tmp_path), split="train", builder_config="avlips-released"))


def test_the_newest_version_counts_and_unfinished_builds_do_not(tmp_path):
    for version in ("1.2.0", "1.10.0", "1.0.0", "2.0.0.incompleteABC"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "features.json").touch()
    assert sources.find_build(tmp_path).name == "1.10.0"


def test_a_damaged_shard_is_named(built, tmp_path):
    folder = shutil.copytree(built / "avlips/avlips/1.0.0", tmp_path / "avlips/avlips/1.0.0")
    for shard in folder.glob("*train*array_record*"):
        data = bytearray(shard.read_bytes())
        middle = np.arange(len(data) // 4, len(data) // 2)
        data[middle[0] : middle[-1]] = bytes(len(middle) - 1)
        shard.write_bytes(data)
    source = open_source(str(tmp_path), split="train")
    with pytest.raises(CorruptRecord, match=r"record \d+ of split 'train' can't be read.*builds again"):
        [source[index] for index in range(len(source))]


def test_what_is_no_file_is_left_out_and_said(pictures, caplog):
    os.mkfifo(pictures / "0_real/1_0.png")  # reading it would never end
    (pictures / "1_fake/folder_0.png").mkdir()
    assert len(CompositeFolder(pictures)) == 3
    assert "5 files are left out, the first is 0_real/1_0.png: not a regular file" in caplog.text


@pytest.fixture(scope="module")
def bucket():
    """A server of one shard of three records; the status codes in the list it yields are answered first."""
    codes, shard = [], b""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            code = codes.pop(0) if codes else 206
            start = re.fullmatch(r"bytes=(-?\d+)(?:-(\d*))?", self.headers.get("Range", "bytes=0-"))
            first = max(len(shard) + int(start[1]), 0) if start[1].startswith("-") else int(start[1])
            last = min(int(start[2] or len(shard) - 1), len(shard) - 1) if start[2] else len(shard) - 1
            body = shard[first : last + 1] if code == 206 else b"x does not have storage.objects.get access"
            self.send_response(code)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(shard)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "shard")
        writer = array_record_module.ArrayRecordWriter(path, "group_size:1")
        for number in range(3):
            writer.write(b"record %d" % number)
        writer.close()
        shard = pathlib.Path(path).read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield codes
    server.shutdown()


def _open_bucket(slept):
    part = SimpleNamespace(filename="gs://bucket/shard", skip=0, take=3, examples_in_shard=3)
    reader = array_record_data_source.ArrayRecordDataSource([part])
    patience = Patience(sleep=slept.append)
    return Records(pathlib.Path("gs://bucket/data"), "train", reader, (), patience)


def test_a_bucket_that_refuses_once_is_asked_again_with_a_new_reader(bucket):
    slept = []
    bucket[:] = [403, 403]
    assert _open_bucket(slept)[1] == b"record 1"
    assert slept == [1]


def test_a_bucket_that_refuses_is_not_called_damaged(bucket):
    bucket[:] = [403] * 9
    with pytest.raises(StorageUnavailable, match=r"record 1 of split.*permission storage\.objects\.get"):
        _open_bucket([])[1]
    bucket.clear()


@pytest.mark.parametrize("text", ["DEADLINE_EXCEEDED: timeout", "no words that are known"])
def test_errors_of_a_bucket_are_no_corrupt_records(text):
    class Down:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            raise RuntimeError(text)

    source = Records(pathlib.Path("gs://bucket/data"), "train", Down(), (), Patience(sleep=lambda _: None))
    with pytest.raises(StorageUnavailable, match="not damaged"):
        source[1]
