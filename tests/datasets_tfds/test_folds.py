"""Folds: every video is tested once, nothing of a source on two sides, both classes everywhere."""

import pathlib

import pytest

from datasets_tfds.build_settings import BuildSettings
from datasets_tfds.splits import draw_folds
from lipfd_jax.commands.splits import make_splits
from lipfd_jax.listing.clips import Clip


def _clips(real: str, fake: str) -> list[Clip]:
    """A video for each letter, which is its source."""
    return [
        Clip(f"{kind}/{source}{i}", pathlib.Path("x"), None, label, source)
        for label, (kind, sources) in enumerate((("0_real", real), ("1_fake", fake)))
        for i, source in enumerate(sources)
    ]


def test_every_video_is_tested_once_and_sources_stay_together():
    clips = _clips("abcdefghijklmnop", "aabbccddefxyzzzz")
    drawn = draw_folds(clips, 3)
    assert len(drawn) == 3
    tested = [video for split in drawn for video, name in split.items() if name == "test"]
    assert sorted(tested) == sorted(clip.video for clip in clips)
    for split in drawn:
        assert set(split) == {clip.video for clip in clips}
        sides: dict[str, set] = {}
        for clip in clips:
            sides.setdefault(clip.source, set()).add(split[clip.video])
        assert all(len(found) == 1 for found in sides.values())
        assert {(split[clip.video], clip.label) for clip in clips} == {
            (name, label) for name in ("train", "validation", "test") for label in (0, 1)
        }


def test_the_order_of_the_clips_does_not_matter_but_the_seed_does():
    clips = _clips("abcdefghijkl", "abcdefghijkl")
    assert draw_folds(clips, 3) == draw_folds(clips[::-1], 3)
    assert draw_folds(clips, 3) != draw_folds(clips, 3, seed=1)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (BuildSettings(held_out=True), "add --noheld_out"),
        (BuildSettings(splits_csv="x.csv"), "leave --splits_csv out"),
    ],
)
def test_settings_that_folds_would_not_follow_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        make_splits(_clips("abcdefgh", "abcdefgh"), settings, 2)


@pytest.mark.parametrize(
    ("real", "fake", "count", "reason"),
    [
        ("abcdefgh", "abcdefgh", 1, "expected at least 2"),
        ("abcdefgh", "aaaaabbb", 3, "2 sources of fake videos can't be dealt out to 3 parts"),
    ],
)
def test_what_can_not_be_dealt_out_is_named(real, fake, count, reason):
    with pytest.raises(ValueError, match=reason):
        draw_folds(_clips(real, fake), count)
