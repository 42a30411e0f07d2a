"""Pairs drawn from clip records: kinds, order, and that a seed and a position decide each of them."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.data.clip_index import ClipEntry
from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.data.degradations import DegradationSettings
from lipfd_jax.data.pairs import ClipSet, PairDrawer, PairSettings, make_pair_batches, place_frames
from lipfd_jax.preprocessing.encoding import encode_jpeg

PLAIN = DegradationSettings(any=0.0)
TWINS = PairSettings(twins=1.0, degradation=PLAIN)


class DrawnClips:
    """Clip records of flat pictures, a brightness per clip; some can't be read."""

    def __init__(self, corrupt=()):
        self.corrupt = corrupt

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index in self.corrupt:
            raise CorruptRecord(f"record {index}")
        count = 8
        ramp = np.tile(np.linspace(0, 40, 120, dtype=np.uint8)[None, :, None], (120, 1, 3))
        frame = encode_jpeg(ramp + np.uint8(30 * index))
        times = np.arange(count) / 25
        return {
            "video": f"{index % 2}/clip{index}", "source": f"group{index // 2}",
            "generator": "drawn" if index % 2 else "",
            "label": index % 2, "part": 0, "width": 120, "height": 120, "fps": 25.0, "sound_scale": 1.0,
            "sound_start": 0.0, "numbers": np.arange(count), "times": times, "ends": times + 0.04,
            "areas": np.tile([0, 0, 120, 120], (count, 1)), "squares": np.tile([0.0, 0, 120], (count, 1)),
            "boxes": np.tile([20.0, 0, 100, 80], (count, 1)), "starts": np.arange(4), "whole": True,
            "frames": [frame] * count, "sound": b"\0\0" * 9000,
        }  # fmt: skip


def make_set(source, weight=1.0, only=range(6)):
    entries = [
        ClipEntry(i, f"{i % 2}/clip{i}", 0, i % 2, f"group{i // 2}", "drawn" if i % 2 else "", 4, 0.3, 120.0)
        for i in only
    ]
    return ClipSet(source, tuple(entries), weight)


def make_drawer(settings=TWINS, *, corrupt=(), seed=1, only=range(6), policy="skip"):
    return PairDrawer(
        [make_set(DrawnClips(corrupt), only=only)],
        settings,
        seed=seed,
        corrupt=[CorruptRecords(policy, 6)],
    )


def test_twins_share_a_source_and_the_real_one_is_first():
    draw = make_drawer()
    pairs = [draw(position) for position in range(12)]
    assert {tuple(pair["label"]) for pair in pairs} == {(0, 1)}
    assert all(pair["source"][0] == pair["source"][1] for pair in pairs)
    assert {pair["source"][0] for pair in pairs} == {"group0", "group1", "group2"}
    assert pairs[0]["frames"].shape == (2, 1, 500, 500, 3)
    assert pairs[0]["frames"].dtype == np.uint8


def test_unrelated_pairs_mix_sources():
    draw = make_drawer(PairSettings(unrelated=1.0, degradation=PLAIN))
    pairs = [draw(position)["source"] for position in range(20)]
    assert any(a != b for a, b in pairs)


def test_a_pseudo_forgery_differs_from_its_window_and_shares_its_place():
    draw = make_drawer(PairSettings(pseudo=1.0, degradation=PLAIN))
    pair = draw(3)
    assert pair["video"][0] == pair["video"][1] == "0/clip" + pair["video"][0][-1]
    assert (pair["frames"][0] != pair["frames"][1]).any()
    assert (pair["frames"][0, :, :, :20] == pair["frames"][1, :, :, :20]).all()  # beside the face


def test_the_degradation_of_a_pair_of_one_footage_is_the_same():
    shown = PairSettings(
        twins=1.0,
        flip=0,
        shift=0,
        zoom=0,
        degradation=DegradationSettings(
            any=1, relight=1, recolour=0, blur=0, rescale=0, noise=0, sharpen=0, compress=0
        ),
    )
    for position in range(6):
        real, forged = (int(f.mean()) for f in make_drawer(shown)(position)["frames"])
        plain = [
            int(f.mean())
            for f in make_drawer(dataclasses.replace(shown, degradation=PLAIN))(position)["frames"]
        ]
        assert np.sign(real - plain[0]) == np.sign(forged - plain[1])


def test_seed_and_position_decide():
    settings = PairSettings(twins=0.4, pseudo=0.3, unrelated=0.3)
    one, same, other = (make_drawer(settings, seed=seed) for seed in (1, 1, 2))
    assert all((one(k)["frames"] == same(k)["frames"]).all() for k in range(5))
    assert any((one(k)["frames"] != other(k)["frames"]).any() for k in range(5))


def test_batches_resume_at_their_number_and_split_among_processes():
    options = {"batch_size": 4, "threads": 1}
    batches = iter(make_pair_batches(make_drawer(), **options))
    three = [next(batches) for _ in range(3)]
    again = iter(make_pair_batches(make_drawer(), **options))
    again.set_state({"next_index": 2})
    assert (next(again)["frames"] == three[2]["frames"]).all()
    assert three[0]["label"].tolist() == [0, 1, 0, 1]
    second = next(iter(make_pair_batches(make_drawer(), **options, process_index=1, process_count=2)))
    assert (second["frames"] == three[0]["frames"][2:]).all()


def test_clips_of_a_heavier_set_are_drawn_more_often():
    sets = [make_set(DrawnClips(), only=(0,)), make_set(DrawnClips(), 9.0, only=(2, 5))]
    settings = PairSettings(unrelated=1.0, degradation=PLAIN, evenness=0)
    draw = PairDrawer(sets, settings, seed=0, corrupt=[CorruptRecords()] * 2)
    drawn = [draw(position)["video"][0] for position in range(40)]
    assert drawn.count("0/clip2") > 30 > 10 > drawn.count("0/clip0") > 0


def test_other_pairs_replace_corrupt_records():
    draw = make_drawer(corrupt=(1,))
    assert {draw(position)["source"][1] for position in range(12)} == {"group1", "group2"}
    strict = make_drawer(corrupt=(1,), policy="stop")
    with pytest.raises(CorruptRecord, match="record 1"):
        [strict(position) for position in range(12)]


@pytest.mark.parametrize(
    ("settings", "only", "kind"),
    [
        (TWINS, (0, 3), "twins"),
        (PairSettings(pseudo=1.0), (1, 3), "pseudo"),
        (PairSettings(unrelated=1.0), (0, 2), "unrelated"),
    ],
)
def test_kinds_that_the_clips_lack_are_refused(settings, only, kind):
    with pytest.raises(ValueError, match=f"data.pairs.{kind}=1: no such pairs"):
        make_drawer(settings, only=only)


def test_batches_need_whole_pairs_per_process():
    with pytest.raises(ValueError, match="even share"):
        make_pair_batches(make_drawer(), batch_size=6, process_count=2)


def test_frames_keep_their_place_without_shift_and_zoom():
    frames = np.random.default_rng(0).integers(0, 256, (2, 500, 500, 3), np.uint8)
    still = PairSettings(shift=0, zoom=0, flip=0)
    assert (place_frames(frames, still, np.random.default_rng(0)) == frames).all()
    mirrored = place_frames(frames, dataclasses.replace(still, flip=1), np.random.default_rng(0))
    assert (mirrored == frames[:, :, ::-1]).all()


@pytest.mark.parametrize("kind", ["twins", "pseudo"])
def test_composites_on_request_hold_the_five_frames_and_the_sound(kind):
    settings = PairSettings(**{kind: 1.0}, frame_numbers=(1, 3), degradation=PLAIN, flip=1.0)
    options = {"seed": 1, "corrupt": [CorruptRecords()]}
    sets = [make_set(DrawnClips())]
    with_sound = PairDrawer(sets, settings, composite_side=448, **options)(3)
    assert "composite" not in PairDrawer(sets, settings, **options)(3)
    composites, frames = with_sound["composite"], with_sound["frames"]
    assert composites.shape == (2, 1000, 2500, 3)
    assert frames.shape == (2, 2, 500, 500, 3)
    for composite, own in zip(composites, frames, strict=True):
        tiles = composite[500:].reshape(500, 5, 500, 3).swapaxes(0, 1)
        places = [[k for k, tile in enumerate(tiles) if (tile == frame).all()] for frame in own]
        assert all(places)
        assert len({tile.tobytes() for tile in tiles}) == 1 or kind == "pseudo"  # the clips stand still
    assert (composites[0, :500] == composites[1, :500]).all()  # the same sound, unlike
    assert (composites[0, 500:] != composites[1, 500:]).any()  # the picture
    small = PairDrawer(sets, settings, composite_side=60, **options)(3)
    assert (small["frames"] == frames).all()
    assert 0 < np.abs(small["composite"][0, 500:].astype(int) - composites[0, 500:]).mean() < 8
