"""Splits keep sources together, can be published, and hold the official sources out."""

import pathlib

import pytest

from datasets_tfds import splits
from datasets_tfds.build_settings import BuildSettings
from lipfd_jax.listing.clips import Clip
from lipfd_jax.vocabulary import SPLITS


def _clips(sources):
    kinds = enumerate(("0_real", "1_fake"))
    return [
        Clip(f"{kind}/{source}", pathlib.Path("x"), None, label, str(source))
        for label, kind in kinds
        for source in sources
    ]


def test_sources_stay_together_and_shares_are_near_the_fractions():
    clips = _clips(range(4000))
    drawn = splits.assign_splits(clips, BuildSettings())
    assert all(drawn[f"0_real/{source}"] == drawn[f"1_fake/{source}"] for source in range(4000))
    shares = [list(drawn.values()).count(split) / len(clips) for split in SPLITS]
    assert shares == pytest.approx((0.8, 0.1, 0.1), abs=0.02)


def test_a_source_keeps_its_split_when_others_come():
    few, many = (
        splits.assign_splits(_clips(range(50)), BuildSettings()),
        splits.assign_splits(_clips(range(500)), BuildSettings()),
    )
    assert few == {video: many[video] for video in few}
    assert few != splits.assign_splits(_clips(range(50)), BuildSettings(salt="other"))


def test_all_test_is_possible():
    assert set(
        splits.assign_splits(_clips(range(50)), BuildSettings(fractions=(0.0, 0.0, 1.0))).values()
    ) == {"test"}


def test_the_held_out_sources_are_those_of_the_official_windows(golden):
    paths = [line.split(",")[0] for line in (golden / "official_val_scores.csv").read_text().split()[1:]]
    assert splits.read_held_out_sources() == {path.split("/")[-1].rsplit("_", 1)[0] for path in paths}
    assert len(splits.read_held_out_sources()) == 744


def test_held_out_sources_are_all_in_test():
    drawn = splits.assign_splits(_clips(range(3100)), BuildSettings(held_out=True))
    held_out = splits.read_held_out_sources()
    assert all(split == "test" for video, split in drawn.items() if video.split("/")[1] in held_out)
    assert {split for video, split in drawn.items() if video.split("/")[1] not in held_out} == set(SPLITS)


def test_what_is_written_is_followed(tmp_path):
    clips = _clips(range(20))
    drawn = splits.assign_splits(clips, BuildSettings())
    path = str(tmp_path / "splits.csv")
    splits.write_splits(path, clips, drawn)
    assert splits.assign_splits(clips, BuildSettings(splits_csv=path, salt="other")) == drawn
    corrected = pathlib.Path(path).read_text().replace(",train", ",test").replace("0_real/3,3,0,test\n", "")
    pathlib.Path(path).write_text(corrected)
    followed = splits.assign_splits(clips, BuildSettings(splits_csv=path))
    assert "0_real/3" not in followed
    assert len(followed) == 39
    assert "train" not in followed.values()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("0_real/1,1,0,train\n1_fake/1,1,1,test\n", "more than one split, such as .'1'"),
        ("0_real/1,1,0,training\n", "line 2: split 'training'"),
        ("0_real/1,1,0,train\n0_real/1,1,0,train\n", "occurs twice"),
        ("0_real/99,99,0,train\n", "not in the data, such as .'0_real/99'"),
        ("0_real/4,4,0,train\n1_fake/4,4,1,train\n", "official validation sources"),
    ],
)
def test_files_that_can_not_be_followed(tmp_path, rows, reason):
    path = tmp_path / "splits.csv"
    path.write_text("video,source,label,split\n" + rows)
    with pytest.raises(ValueError, match=reason):
        splits.assign_splits(_clips([1, 4]), BuildSettings(splits_csv=str(path), held_out=True))


def test_a_file_without_the_columns(tmp_path):
    (tmp_path / "x.csv").write_text("name,part\n")
    with pytest.raises(ValueError, match="expected video,source,label,split"):
        splits.read_splits(str(tmp_path / "x.csv"))
