"""The pipelines: the same samples whoever reads them, nothing lost, stopped and resumed to the byte."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from lipfd_jax.data import pipeline, records
from lipfd_jax.data.augmentation import OFF, AugmentationSettings
from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

STRONG = AugmentationSettings(blur=0.5, noise=0.5, compression=0.5, sound_noise=0.5, sound_gain=0.5)


def _train(source, *, batches, **options):
    options = {"batch_size": 4, "seed": 3, **options}
    return list(itertools.islice(pipeline.make_training_batches(source, **options), batches))


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
    running = iter(pipeline.make_training_batches(source, **options))
    for _ in range(3):
        next(running)
    state = json.loads(json.dumps(running.get_state()))
    resumed = iter(pipeline.make_training_batches(source, **options))
    resumed.set_state(state)
    _same([next(running) for _ in range(4)], [next(resumed) for _ in range(4)])


def test_the_state_is_the_number_of_batches(source):
    """A run resumed by other processes works out its state from this."""
    running = iter(
        pipeline.make_training_batches(source, batch_size=4, seed=3, process_index=1, process_count=2)
    )
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
    decoded = {r["video"].decode(): records.decode_record(r)["composite"] for r in source.records}
    for video, shown in zip(batch["video"], batch["composite"], strict=True):
        np.testing.assert_array_equal(shown, decoded[str(video)])


def test_a_batch_that_does_not_divide_is_refused(source):
    with pytest.raises(ValueError, match="batch size 5 does not divide among 2 processes"):
        pipeline.make_training_batches(source, batch_size=5, seed=0, process_count=2)


@pytest.mark.parametrize(("count", "start"), [(1, 0), (2, 0), (4, 0), (2, 6), (1, 13)])
def test_evaluation_gives_every_record_once_in_order(source, count, start):
    parts = [
        list(
            pipeline.make_evaluation_batches(
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
        pipeline.make_evaluation_batches(damaged, batch_size=1),
        pipeline.make_training_batches(damaged, batch_size=1, seed=0),
    ):
        with pytest.raises(ValueError, match=r"record of 0_real/0, window 0.*build the data again"):
            next(iter(read))


def _broken(source, *numbers):
    """The source with some records damaged."""
    changed = [
        {**record, "frames": b"no picture"} if index in numbers else record
        for index, record in enumerate(source.records)
    ]
    return dataclasses.replace(source, records=tuple(changed))


def _skip(limit=3):
    return CorruptRecords("skip", limit)


@pytest.mark.parametrize("balance", [False, True])
def test_a_corrupt_record_is_replaced_and_nothing_else(source, balance):
    corrupt = _skip()
    options = {"batches": 8, "threads": 3, "balance": balance}
    sound = _train(source, **options)
    found = _train(_broken(source, 4, 7), corrupt=corrupt, **options)
    assert set(corrupt.messages()) == {4, 7}
    assert "record of 0_real/4, window 4" in corrupt.messages()[4]
    bad, replaced = {"0_real/4", "1_fake/7"}, 0
    for before, after in zip(sound, found, strict=True):
        for row, (there, here) in enumerate(zip(before["video"], after["video"], strict=True)):
            assert str(here) not in bad
            if str(there) in bad:
                replaced += 1
                assert not balance or before["label"][row] == after["label"][row]
            else:
                assert there == here
                np.testing.assert_array_equal(before["composite"][row], after["composite"][row])
    assert replaced > 2


def test_what_takes_the_place_depends_on_seed_and_position_alone(source):
    broken = _broken(source, 4, 7)
    options = {"batches": 6, "augmentation": STRONG}
    names, composites = _joined([_train(broken, corrupt=_skip(), **options)])
    parts = [_train(broken, process_index=i, process_count=2, corrupt=_skip(), **options) for i in range(2)]
    there, shown = _joined(parts)
    assert there == names
    np.testing.assert_array_equal(shown, composites)
    resumed = iter(
        pipeline.make_training_batches(broken, batch_size=4, seed=3, augmentation=STRONG, corrupt=_skip())
    )
    resumed.set_state({"next_index": 3})
    _same([next(resumed) for _ in range(3)], _train(broken, corrupt=_skip(), **options)[3:])


def test_more_corrupt_records_than_allowed_end_it(source):
    with pytest.raises(CorruptRecord, match=r"3 corrupt records, more than the 2 to be skipped.*window"):
        _train(_broken(source, 1, 2, 3), batches=4, corrupt=_skip(2))


def test_a_batch_that_can_not_be_read_is_not_consumed(source):
    running, read = iter(pipeline.make_training_batches(_broken(source, 4), batch_size=2, seed=3)), []
    with pytest.raises(CorruptRecord, match="0_real/4"):
        read.extend(itertools.islice(running, 7))  # an epoch and a half
    assert running.get_state() == {"next_index": len(read)}


def test_trouble_of_the_machine_is_no_corrupt_record(source):
    class Failing:
        def __len__(self):
            return len(source)

        def __getitem__(self, index):
            raise OSError("Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        next(iter(pipeline.make_training_batches(Failing(), batch_size=2, seed=0, corrupt=_skip())))


def test_an_evaluation_may_leave_corrupt_records_out(source):
    corrupt = _skip()
    batches = list(pipeline.make_evaluation_batches(_broken(source, 4), batch_size=5, corrupt=corrupt))
    shown = [str(v) for b in batches for v, real in zip(b["video"], b["mask"], strict=True) if real]
    assert shown == [r["video"].decode() for i, r in enumerate(source.records) if i != 4]
    assert list(corrupt.messages()) == [4]
