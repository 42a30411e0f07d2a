"""Pairs of the same footage are told from others."""

import pathlib
import shutil

from datasets_tfds.footage import find_mismatches
from lipfd_jax.listing.avlips import list_avlips


def test_samples_are_pairs_and_a_swapped_clip_is_found(media, tmp_path):
    assert find_mismatches(list_avlips(media / "AVLips").clips, 0) == []
    for name, other in (("0_real/0", "0_real/0"), ("1_fake/0", "1_fake/1")):
        (tmp_path / name).parent.mkdir()
        shutil.copy(media / "AVLips" / f"{other}.mp4", tmp_path / f"{name}.mp4")
    [(pair, found)] = find_mismatches(list_avlips(tmp_path).clips, 0)
    assert pair.fake.video == "1_fake/0"
    assert found < 0.9


def test_a_clip_that_can_not_be_read_is_listed(tmp_path):
    for name in ("0_real", "1_fake"):
        pathlib.Path(tmp_path / name).mkdir()
        (tmp_path / name / "a.mp4").write_text("no video")
    [(_, found)] = find_mismatches(list_avlips(tmp_path).clips, 0)
    assert "a.mp4" in found
