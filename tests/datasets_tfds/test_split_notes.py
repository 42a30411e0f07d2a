"""Notes on splits without a video: each names what it is needed for and what fills it."""

import pathlib

from datasets_tfds.build_settings import BuildSettings
from datasets_tfds.split_notes import find_filling_salt, find_split_notes
from datasets_tfds.splits import assign_splits
from lipfd_jax.listing.clips import Clip


def _clips(count):
    return [
        Clip(f"{label}/{source}", pathlib.Path(f"{label}/{source}.mp4"), None, number, str(source))
        for source in range(count)
        for number, label in enumerate(("0_real", "1_fake"))
    ]


def _notes(clips, **settings):
    chosen = BuildSettings(layout="folder", **settings)
    return find_split_notes(clips, assign_splits(clips, chosen), chosen)


def test_a_split_without_a_video_is_said_with_a_salt_that_fills_it():
    clips = _clips(4)
    salts = {str(n): assign_splits(clips, BuildSettings(salt=str(n))).values() for n in range(99)}
    salt = next(salt for salt, splits in salts.items() if "validation" not in splits)
    notes = _notes(clips, salt=salt)
    found = find_filling_salt(clips, BuildSettings(layout="folder", salt=salt))
    assert any("no video is in the split validation, needed for training" in note for note in notes)
    assert f"--salt={found} draws a split that fills all three" in notes[0]
    assert _notes(clips, salt=found) == ()


def test_other_reasons_have_other_remedies(tmp_path):
    assert "of 2 group(s), and three splits need three" in _notes(_clips(2))[0]
    assert "--fractions=1.0,0.0,0.0 asks for it" in _notes(_clips(9), fractions=(1.0, 0.0, 0.0))[0]
    (tmp_path / "s.csv").write_text("video;split\n0_real/1;Train\n1_fake/2;test\n")
    (note,) = _notes(_clips(3), splits_csv=str(tmp_path / "s.csv"))
    assert "split validation" in note
    assert f"add videos to it in {tmp_path / 's.csv'}" in note
