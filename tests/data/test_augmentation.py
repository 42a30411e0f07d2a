"""Augmentation: each setting changes what it says and nothing else, all five frames alike."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.data import augmentation, records
from lipfd_jax.data.augmentation import OFF, Augment, AugmentationSettings
from lipfd_jax.perturbations.catalogue import FRAME_KINDS, SOUND_KINDS
from lipfd_jax.perturbations.kinds import FrameKind, StripAugmentation
from lipfd_jax.settings import build_settings
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

PROBABILITIES = [f.name for f in dataclasses.fields(AugmentationSettings) if f.type is float]
NONE = AugmentationSettings(**dict.fromkeys(PROBABILITIES, 0.0))
SOUND = [name for name in PROBABILITIES if name.startswith("sound_")]


def _augmented(sample, settings, seed=0):
    return Augment(settings)(sample, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def sample(source):
    found = records.decode_parts(source[1])
    found["mel"][:, :4] = found["mel"][0, 0] * 0 + np.array([68, 1, 84], np.uint8)  # silent at first
    return found


@pytest.mark.parametrize("settings", [OFF, NONE], ids=["off", "never"])
def test_nothing_happens_at_probability_zero(sample, settings):
    for seed in range(10):
        result = _augmented(sample, settings, seed)
        np.testing.assert_array_equal(result["frames"], sample["frames"])
        np.testing.assert_array_equal(result["mel"], sample["mel"])


@pytest.mark.parametrize("name", PROBABILITIES)
def test_each_changes_its_part_only(sample, name):
    before = {part: sample[part].copy() for part in ("mel", "frames")}
    result = _augmented(sample, dataclasses.replace(NONE, **{name: 1.0}))
    changed = {part for part in ("mel", "frames") if not np.array_equal(result[part], sample[part])}
    assert changed == {"mel" if name in SOUND else "frames"}
    for part in before:
        assert (result[part].shape, result[part].dtype) == (before[part].shape, np.uint8)
        np.testing.assert_array_equal(sample[part], before[part])
    assert {k: v for k, v in result.items() if k not in before} == {
        k: v for k, v in sample.items() if k not in before
    }


def test_flip_mirrors_all_frames(sample):
    result = _augmented(sample, dataclasses.replace(NONE, flip=1.0))
    np.testing.assert_array_equal(result["frames"], sample["frames"][:, :, ::-1])


def test_all_frames_of_a_window_are_changed_alike(sample):
    settings = dataclasses.replace(
        NONE, flip=0.5, saturation=0.5, contrast=0.5, blur=0.5, pixelation=0.5, compression=0.5
    )
    still = {**sample, "frames": np.repeat(sample["frames"][:1], 5, axis=0)}
    results = [_augmented(still, settings, seed)["frames"] for seed in range(20)]
    assert all((frames == frames[0]).all() for frames in results)
    assert len({frames.tobytes() for frames in results}) > 10


def test_as_often_as_asked(sample):
    settings = dataclasses.replace(NONE, blur=0.2, sound_gain=0.7)
    results = [_augmented(sample, settings, seed) for seed in range(400)]
    for part, expected in (("frames", 0.2), ("mel", 0.7)):
        share = np.mean([not np.array_equal(result[part], sample[part]) for result in results])
        assert abs(share - expected) < 0.08  # three and a half deviations


def test_levels_go_up_to_the_highest(sample):
    grey = {**sample, "frames": np.full((5, 16, 16, 3), 200, np.uint8)}
    for highest in (1, 3, 5):
        settings = dataclasses.replace(NONE, contrast=1.0, highest_level=highest)
        seen = {int(_augmented(grey, settings, seed)["frames"].max()) for seed in range(40)}
        assert seen == {int(200 * factor) for factor in (0.85, 0.725, 0.6, 0.475, 0.35)[:highest]}


@pytest.mark.parametrize("encoding", ["compact", "composite", "lossy"])
def test_every_encoding_can_be_augmented(encoding, sample):
    from lipfd_jax.preprocessing.composite import Window
    from lipfd_jax.preprocessing.encoding import encode_window

    window = Window(0, 0, 25.0, sample["mel"], sample["frames"])
    fields = {k: v for k, v in sample.items() if k not in ("mel", "frames")}
    parts = records.decode_parts({**fields, **encode_window(window, encoding)})
    always = AugmentationSettings(**dict.fromkeys(PROBABILITIES, 1.0))
    result = records.assemble_sample(_augmented(parts, always))
    assert result["composite"].shape == COMPOSITE_SHAPE
    assert result["composite"].dtype == np.uint8
    assert not {"mel", "frames"} & set(result)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_probability_out_of_range_is_named(value):
    with pytest.raises(ValueError, match=r"augmentation\.blur=.*expected 0 to 1"):
        AugmentationSettings(blur=value)
    with pytest.raises(ValueError, match=r"augmentation\.highest_level=6"):
        AugmentationSettings(highest_level=6)


def test_the_catalogue_gives_the_order_of_the_draws():
    """Another order would give a resumed run other samples.

    A new entry of probability 0 passes: it draws nothing in runs that don't set it (the next test).
    """
    frames = [kind.setting for kind in augmentation._FRAME_KINDS if kind.probability]
    assert frames == ["saturation", "contrast", "blur", "pixelation", "noise", "blockwise", "compression"]
    drawn, applied = (
        [strip.setting for strip in strips if strip.probability]
        for strips in (augmentation._STRIPS, augmentation._APPLIED)
    )
    assert drawn == ["sound_gain", "sound_trim", "sound_noise", "sound_band_limit"]
    assert applied == ["sound_gain", "sound_trim", "sound_band_limit", "sound_noise"]


def test_an_entry_of_probability_0_leaves_all_draws_as_they_were(sample, monkeypatch):
    before = [_augmented(sample, AugmentationSettings(), seed) for seed in range(40)]
    grey = FrameKind("grey", lambda frames, severity, rng: frames // 2, "light")
    hush = StripAugmentation("sound_hush", 0.0, "level", lambda values, by, rng: values / 2, (0, 1))
    monkeypatch.setattr(augmentation, "_FRAME_KINDS", [grey, *augmentation._FRAME_KINDS])
    monkeypatch.setattr(augmentation, "_STRIPS", [hush, *augmentation._STRIPS])
    monkeypatch.setattr(augmentation, "_APPLIED", [hush, *augmentation._APPLIED])
    fields = [("grey", float, 0.0), ("sound_hush", float, 0.0)]
    extended = dataclasses.make_dataclass("Extended", fields, bases=(AugmentationSettings,), frozen=True)
    after = [_augmented(sample, extended(), seed) for seed in range(40)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one["frames"], other["frames"])
        np.testing.assert_array_equal(one["mel"], other["mel"])
    for part, name in (("frames", "grey"), ("mel", "sound_hush")):
        changed = _augmented(sample, extended(**{**dataclasses.asdict(NONE), name: 1.0}))
        assert not np.array_equal(changed[part], sample[part])


def test_every_kind_of_the_catalogue_is_a_setting_or_says_why_not():
    known = {field.name for field in dataclasses.fields(AugmentationSettings)}
    assert {kind.setting for kind in FRAME_KINDS} < known
    for kind in SOUND_KINDS:
        assert (kind.training is None) == bool(kind.why_not_in_training)
        assert kind.training is None or kind.training.setting in known
    with pytest.raises(ValueError, match=r"augmentation\.mp3\. Mp3 needs the clip's samples"):
        build_settings(AugmentationSettings(), {"mp3": 0.1}, "data.augmentation.")
    with pytest.raises(ValueError, match=r"unknown setting blurr\. Did you mean blur\?"):
        build_settings(AugmentationSettings(), {"blurr": 0.1})
