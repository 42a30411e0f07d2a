"""Records to samples: the same fields whatever the encoding."""

import numpy as np
import pytest

from lipfd_jax.data import records


@pytest.mark.parametrize("encoding", ["compact", "composite"])
def test_parts_assemble_to_what_decode_gives(make_record, encoding):
    record = make_record(5, 1, encoding)
    whole, parts = records.decode_record(record), records.decode_parts(record)
    assembled = records.assemble_sample(parts)
    assert whole.keys() == assembled.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], assembled[name])
    assert parts["frames"].shape[0] == 5
    assert {"mel", "frames"} <= set(parts)


def test_fields_have_their_types(make_record):
    sample = records.decode_record(make_record(5, 1))
    assert (sample["video"], sample["source"], sample["windows"]) == ("1_fake/5", "5", "paper")
    assert (sample["label"], sample["label"].dtype) == (1, np.int32)
    assert (sample["window"], sample["fps"].dtype) == (5, np.float32)
    assert records.composite_path(sample) == "1_fake/5_5.png"


@pytest.mark.parametrize("read", [records.decode_record, records.decode_parts])
@pytest.mark.parametrize("field", ["mel", "frames"])
def test_damage_names_video_window_and_field(make_record, read, field):
    record = make_record(5, 1) | {field: b"RIFF"}
    with pytest.raises(ValueError, match=f"record of 1_fake/5, window 5: .*{field}.*build the data again"):
        read(record)
