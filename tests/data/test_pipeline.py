"""The pipelines: the same samples whoever reads them, nothing lost, stopped and resumed to the byte."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from lipfd_jax.data import pipeline, records
from lipfd_jax.data.augmentation import OFF, AugmentationSettings
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

STRONG = AugmentationSettings(blur=0.5, noise=0.5, compression=0.5, sound_noise=0.5, sound_gain=0.5)


def _train(source, *, batches, **options):
    options = {"batch_size": 4, "seed": 3, **options}
    return list(itertools.islice(pipeline.training_batches(source, **options), batches))


def _joined(parts):
    """Samples of several processes' batches in global order: (names, composites)."""
    names, composites = [], []
    for together in zip(*parts, strict=True):
        for row in range(len(together[0]["label"])):
            names += [str(batch["video"][row]) for batch in together]
            composites += [batch["composite"][row] for batch in together]
    return names, composites


def _same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_train_gives_whole_batches_of_composites(source):
    (batch,) = _train(source, batches=1)
    assert batch["composite"].shape == (4, *COMPOSITE_SHAPE)
    assert batch["composite"].dtype == np.uint8
    assert batch["label"].dtype == np.int32
    assert set(batch) == {
        *("composite", "label", "video", "source", "generator", "windows"),
        *("window", "start_frame", "fps"),
    }


def test_every_epoch_holds_every_record_once_in_another_order(source):
    batches = _train(source, batches=2, batch_size=13)
    first, second = ([str(v) for v in batch["video"]] for batch in batches)
    assert sorted(first) == sorted(second) == sorted(r["video"].decode() for r in source.records)
    assert first != second


def test_the_seed_decides_the_order(source):
    same = [_train(source, batches=1, batch_size=13, seed=s)[0]["video"].tolist() for s in (3, 3, 4)]
    assert same[0] == same[1] != same[2]


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_one_global_order(source, count, balance):
    options = {"batches": 3, "balance": balance, "augmentation": STRONG}
    names, composites = _joined([_train(source, **options)])
    parts = [_train(source, process_index=i, process_count=count, **options) for i in range(count)]
    there, shown = _joined(parts)
    assert there == names
    np.testing.assert_array_equal(shown, composites)


def test_threads_do_not_change_what_is_read(source):
    one, many = (_train(source, batches=4, threads=n, augmentation=STRONG, balance=True) for n in (1, 4))
    _same(one, many)


@pytest.mark.parametrize("balance", [False, True])
def test_a_resumed_run_sees_the_same(source, balance):
    options = {"batch_size": 4, "seed": 3, "augmentation": STRONG, "balance": balance}
    running = iter(pipeline.training_batches(source, **options))
    for _ in range(3):
        next(running)
    state = json.loads(json.dumps(running.get_state()))
    resumed = iter(pipeline.training_batches(source, **options))
    resumed.set_state(state)
    _same([next(running) for _ in range(4)], [next(resumed) for _ in range(4)])


def test_the_state_is_the_number_of_batches(source):
    """A run resumed by other processes works out its state from this."""
    running = iter(pipeline.training_batches(source, batch_size=4, seed=3, process_index=1, process_count=2))
    for _ in range(3):
        next(running)
    assert running.get_state() == {"next_index": 3}


def test_augmentation_depends_on_the_position_not_only_on_the_record(source):
    one = dataclasses.replace(source, records=source.records[:1])
    batch, again = (_train(one, batches=1, augmentation=STRONG)[0]["composite"] for _ in range(2))
    np.testing.assert_array_equal(batch, again)
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(batch, 2))


def test_without_augmentation_training_sees_what_evaluation_sees(source):
    (batch,) = _train(source, batches=1, batch_size=13, augmentation=OFF)
    decoded = {r["video"].decode(): records.decode(r)["composite"] for r in source.records}
    for video, shown in zip(batch["video"], batch["composite"], strict=True):
        np.testing.assert_array_equal(shown, decoded[str(video)])


def test_a_batch_that_does_not_divide_is_refused(source):
    with pytest.raises(ValueError, match="batch size 5 does not divide among 2 processes"):
        pipeline.training_batches(source, batch_size=5, seed=0, process_count=2)


@pytest.mark.parametrize(("count", "start"), [(1, 0), (2, 0), (4, 0), (2, 6), (1, 13)])
def test_evaluation_gives_every_record_once_in_order(source, count, start):
    parts = [
        list(
            pipeline.evaluation_batches(
                source, batch_size=4, start=start, process_index=i, process_count=count
            )
        )
        for i in range(count)
    ]
    assert {len(part) for part in parts} == {-(-(13 - start) // 4)}
    masks = [b["mask"][row] for bs in zip(*parts, strict=True) for row in range(4 // count) for b in bs]
    names, composites = _joined(parts)
    expected = [r["video"].decode() for r in source.records][start:]
    assert [name for name, real in zip(names, masks, strict=True) if real] == expected
    assert masks == sorted(masks, reverse=True)  # blank samples only at the end
    for composite, real in zip(composites, masks, strict=True):
        assert composite.any() == real
        assert composite.shape == COMPOSITE_SHAPE


def test_a_damaged_record_is_named(source):
    broken = {**source.records[0], "frames": b"no picture"}
    damaged = dataclasses.replace(source, records=(broken,))
    for read in (
        pipeline.evaluation_batches(damaged, batch_size=1),
        pipeline.training_batches(damaged, batch_size=1, seed=0),
    ):
        with pytest.raises(ValueError, match=r"record of 0_real/0, window 0.*build the data again"):
            next(iter(read))
