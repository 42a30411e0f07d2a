"""Labels of a source: from names, or read once and kept beside the build."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from lipfd_jax.data import order, pipeline
from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.data.labels import read_labels
from lipfd_jax.data.sources import open_source


@pytest.fixture
def build_copy(built, tmp_path):
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _expected(source):
    return [int(source[index]["label"]) for index in range(len(source))]


def test_labels_of_records_in_memory(source):
    np.testing.assert_array_equal(read_labels(source), _expected(source))


def test_labels_of_a_folder_come_from_its_names(tmp_path):
    for name in ("0_real/a_0.png", "1_fake/a_0.png", "1_fake/a_1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"not read")
    assert read_labels(open_source(str(tmp_path))).tolist() == [0, 1, 1]


def test_labels_of_a_build_are_read_once(build_copy, monkeypatch):
    source = open_source(str(build_copy), split="train")
    expected = _expected(source)
    assert read_labels(source).tolist() == expected
    assert (source.folder / "labels-train.json").is_file()
    unread = dataclasses.replace(source, records=[None] * len(source))
    assert read_labels(unread).tolist() == expected
    open_source(str(build_copy), split="train")  # TFDS does not mind the file


@pytest.mark.parametrize("content", ["", "{}", '{"split": "train", "labels": "%s"}' % ("0" * 32), "[1]"])
def test_labels_that_do_not_fit_are_read_again(build_copy, content):
    source = open_source(str(build_copy), split="train")
    path = source.folder / "labels-train.json"
    path.write_text(content)
    assert read_labels(source).tolist() == _expected(source)
    assert len(json.loads(path.read_text())["labels"]) == len(source)


def test_parts_of_splits_do_not_share_a_file(build_copy):
    for split in ("train", "train[:50%]", "train[50%:]"):
        source = open_source(str(build_copy), split=split)
        assert read_labels(source).tolist() == _expected(source)
        assert read_labels(source).tolist() == _expected(source)


def test_a_folder_that_cannot_be_written_to_will_do(built, monkeypatch):
    source = open_source(str(built), split="validation")
    nowhere = dataclasses.replace(source, folder=source.folder / "features.json")
    assert read_labels(nowhere).tolist() == _expected(source)


def test_a_build_is_drawn_from_evenly(build_copy):
    source = open_source(str(build_copy), split="train")
    batches = iter(pipeline.make_training_batches(source, batch_size=16, seed=0, balance=True))
    drawn = np.concatenate([next(batches)["label"] for _ in range(4)])
    assert 0.3 < drawn.mean() < 0.7


def test_labels_of_records_built_again_are_read_again(build_copy):
    source = open_source(str(build_copy), split="train")
    path = source.folder / "labels-train.json"
    read_labels(source)
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({"records": "of before", "labels": "0" * len(source)}))
    assert read_labels(source).tolist() == _expected(source)
    assert json.loads(path.read_text()) == kept


def test_records_without_a_readable_label_are_never_drawn(source):
    class Damaged:
        def __len__(self):
            return len(source)

        def __getitem__(self, index):
            if index in (2, 4):
                raise CorruptRecord(f"record {index}")
            return source[index]

    with pytest.raises(CorruptRecord, match="record 2"):
        read_labels(Damaged())
    corrupt = CorruptRecords("skip", 2)
    found = read_labels(Damaged(), corrupt)
    assert [index for index, label in enumerate(found) if label == -1] == [2, 4] == list(corrupt.messages())
    drawn = order.balance_records(found, seed=0)
    assert {int(drawn[position]) for position in range(512)} == set(range(13)) - {2, 4}
