"""Apache Beam builds the same bytes."""

import hashlib
import pathlib

import pytest

from datasets_tfds import build
from datasets_tfds.avlips.make_dummy_data import FOLDER
from datasets_tfds.build_settings import select_settings
from datasets_tfds.shards import Shard, collect_note


def _sums(builder):
    shards = sorted(pathlib.Path(builder.data_dir).glob("*.array_record*"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_beam_builds_the_same_shards(tmp_path, mode):
    pytest.importorskip("apache_beam", reason="the extra tfds is not installed")
    options = f"runner=DirectRunner,direct_running_mode={mode},direct_num_workers=2"
    settings = select_settings("avlips", videos_per_shard=1)
    on_beam = build.build(
        manual_dir=str(FOLDER),
        data_dir=str(tmp_path / "beam"),
        settings=settings,
        beam_pipeline_options=options,
    )
    light = build.build(
        manual_dir=str(FOLDER), data_dir=str(tmp_path / "light"), settings=settings, workers=0
    )
    assert _sums(on_beam) == _sums(light)
    assert len(_sums(light)) == 8
    made, expected = (build.report.read_report(builder.data_path) for builder in (on_beam, light))
    assert made == expected


def test_a_shard_the_runner_lost_is_missed(tmp_path):
    with pytest.raises(RuntimeError, match="lost this shard"):
        collect_note(Shard("train", 0, str(tmp_path / "train.shard-00000"), ()))
