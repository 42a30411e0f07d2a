"""Which records a source holds: the same wherever they lie, another after any change."""

import json
import os
import shutil

import pytest

from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.data.sources import open_source
from lipfd_jax.vocabulary import BUILD_REPORT

VERSION = "avlips/avlips/1.0.0"


def _sum(folder, split="train"):
    return compute_data_fingerprint(open_source(str(folder), split=split)).digest


@pytest.fixture
def build(built, tmp_path):
    """A copy of the build, to be changed."""
    shutil.copytree(built / VERSION, tmp_path / "copy" / VERSION)
    return tmp_path / "copy"


@pytest.fixture
def pictures(composites, tmp_path):
    """A copy of a folder of composites, times kept."""
    return shutil.copytree(composites, tmp_path / "pictures")


def test_a_build_is_the_same_wherever_it_lies(built, build):
    assert _sum(built) == _sum(build)
    found = compute_data_fingerprint(open_source(str(build), split="train"))
    assert f"{build.name}/avlips/avlips/1.0.0, by" in str(found)
    assert str(build) not in str(found)  # reports and checkpoints that others get hold it
    assert "sums in its report" in found.description
    assert len(found.digest) == 16


def test_splits_and_parts_of_them_differ(built):
    splits = ("train", "validation", "test", "train[:50%]", "train[50%:]")
    assert len({_sum(built, split) for split in splits}) == len(splits)


def test_records_built_again_from_other_clips_are_others(built, build):
    path = build / VERSION / BUILD_REPORT
    report = json.loads(path.read_text())
    for name, shard in report["shards"].items():
        if "-test." in name:
            shard["sha256"] = "0" * 64
    path.write_text(json.dumps(report))
    assert _sum(built) == _sum(build)
    assert _sum(built, "test") != _sum(build, "test")


@pytest.mark.parametrize("report", [None, "{", '{"shards": {}}', "[]"])
def test_a_build_without_a_report_goes_by_its_files(build, report):
    path = build / VERSION / BUILD_REPORT
    path.unlink() if report is None else path.write_text(report)
    before = compute_data_fingerprint(open_source(str(build), split="train"))
    assert "size and time" in before.description
    for shard in (build / VERSION).glob("*train*array_record*"):
        os.utime(shard, (0, 0))
    assert _sum(build) != before.digest


def test_pictures_are_the_same_in_a_copy_that_keeps_times(composites, pictures):
    assert _sum(composites) == _sum(pictures)


@pytest.mark.parametrize("change", ["content", "name", "fewer", "windows"])
def test_changed_pictures_are_others(composites, pictures, change):
    picture = next((pictures / "0_real").glob("*.png"))
    if change == "content":
        picture.write_bytes(picture.read_bytes() + b"\0")
    elif change == "name":
        picture.rename(picture.with_name("other_0.png"))
    elif change == "fewer":
        picture.unlink()
    else:
        (pictures / "windows.txt").write_text("paper\n")
    assert _sum(composites) != _sum(pictures)


def test_a_source_of_another_kind_is_refused(source):
    with pytest.raises(TypeError, match="Memory"):
        compute_data_fingerprint(source)


def test_checkpoints_store_a_fingerprint_under_the_keys_that_old_ones_have(build):
    found = compute_data_fingerprint(open_source(str(build), split="train"))
    assert found.to_json() == {"sum": found.digest, "words": found.description}
