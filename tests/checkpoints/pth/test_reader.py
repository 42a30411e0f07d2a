"""Reading a .pth file returns exactly its tensors; tensors that do not fit their storage are refused."""

import pickle

import ml_dtypes
import numpy as np
import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pth.archive import PthArchive
from lipfd_jax.checkpoints.pth.reader import open_pth
from tests.checkpoints.pth import pth_files
from tests.checkpoints.pth.pth_files import (
    KINDS,
    integer,
    mapping,
    ordered_dict,
    program,
    tensor,
    text,
    write_zip,
)

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "scalar": np.asarray(7, np.int64),
    "half": np.linspace(-1, 1, 5).astype(np.float16),
    "brain": np.linspace(-1, 1, 5).astype(ml_dtypes.bfloat16),
    "empty": np.zeros((0, 3), np.float32),
}
TWELVE = np.arange(12, dtype=np.float32)


def check(found, arrays):
    assert list(found) == list(arrays)
    for key, array in arrays.items():
        assert found[key].shape == array.shape
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(np.asarray(found[key]), array, strict=True)


def view(tmp_path, shape, *, values=12, kind="Float", **options):
    """Writes a file of one tensor "a" over twelve float32 values, with the given description."""
    weights = ordered_dict(text("a"), tensor("0", kind, values, shape, **options))
    return write_zip(tmp_path / "view.pth", program(weights), {"0": TWELVE.tobytes()})


@pytest.mark.parametrize("model", [True, False])
@pytest.mark.parametrize("parameters", [True, False])
def test_a_model_entry_and_a_bare_state_dict_are_read(tmp_path, model, parameters):
    check(
        open_pth(pth_files.write_pth(tmp_path / "a.pth", ARRAYS, model=model, parameters=parameters)), ARRAYS
    )


@pytest.mark.parametrize("dtype", list(KINDS), ids=str)
def test_every_type_of_values_is_read_as_it_is(tmp_path, dtype):
    arrays = {"a": np.arange(6).reshape(2, 3).astype(dtype)}
    check(open_pth(pth_files.write_pth(tmp_path / "a.pth", arrays)), arrays)


def test_values_can_be_asked_for_in_another_type(tmp_path):
    found = open_pth(pth_files.write_pth(tmp_path / "a.pth", ARRAYS))["half"]
    assert np.asarray(found, np.float64).dtype == np.float64
    assert np.asarray(found).flags.writeable


def test_the_wrapper_prefix_comes_off_where_all_keys_have_it(tmp_path):
    wrapped = {f"module.{key}": array for key, array in ARRAYS.items()}
    check(open_pth(pth_files.write_pth(tmp_path / "a.pth", wrapped)), ARRAYS)
    mixed = wrapped | {"other": np.zeros(1, np.float32)}
    check(open_pth(pth_files.write_pth(tmp_path / "b.pth", mixed)), mixed)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((3, 4), (1, 3), 0), ((2, 3), (6, 2), 1), ((2, 1, 3), (3, 99, 1), 2), ((4,), (3,), 2), ((), (), 11)],
)
def test_views_of_a_storage_are_read(tmp_path, shape, strides, offset):
    found = open_pth(view(tmp_path, shape, strides=strides, offset=offset))["a"]
    bytes_apart = [4 * s for s in strides]
    expected = np.lib.stride_tricks.as_strided(TWELVE[offset:], shape, bytes_apart)
    np.testing.assert_array_equal(np.asarray(found), expected, strict=True)


def test_tensors_may_share_a_storage(tmp_path):
    weights = ordered_dict(
        text("tied"),
        tensor("0", "Float", 12, (12,)),
        text("part"),
        tensor("0", "Float", 12, (2, 3), offset=6),
    )
    found = open_pth(write_zip(tmp_path / "a.pth", program(weights), {"0": TWELVE.tobytes()}))
    check(found, {"tied": TWELVE, "part": TWELVE[6:].reshape(2, 3)})


def test_newer_pickle_protocols_are_read(tmp_path):
    plain = {"epoch": 3, "best": 0.5, "name": "x" * 300, "list": [1, (2,), None, True, 2**40]}
    body = pickle.dumps(plain, 4)[2:-1]  # frames, memoised and short strings; without PROTO and STOP
    weights = ordered_dict(text("a"), tensor("0", "Float", 12, (12,)))
    pickled = b"\x80\x04" + mapping(other=body, model=weights) + b"."
    check(open_pth(write_zip(tmp_path / "a.pth", pickled, {"0": TWELVE.tobytes()})), {"a": TWELVE})


def test_the_optimizer_is_never_read(tmp_path, monkeypatch):
    moment = mapping(exp_avg=tensor("1", "Float", 12, (12,)), step=integer(3))
    optimizer = mapping(
        state=b"}" + integer(0) + moment + b"s", param_groups=b"]" + mapping(lr=b"G" + b"\0" * 8) + b"a"
    )
    weights = ordered_dict(text("a"), tensor("0", "Float", 12, (12,)))
    pickled = program(mapping(optimizer=optimizer, model=weights))
    path = write_zip(tmp_path / "a.pth", pickled, {"0": TWELVE.tobytes(), "1": TWELVE.tobytes()})
    read = []
    read_into = PthArchive.read_into
    monkeypatch.setattr(
        PthArchive,
        "read_into",
        lambda self, member, *rest: (read.append(member.name), read_into(self, member, *rest)),
    )
    found = open_pth(path)
    assert sorted(read) == ["archive/byteorder", "archive/data.pkl"]  # opening reads no tensor
    check(found, {"a": TWELVE})
    assert sorted(read)[2:] == ["archive/data/0"]


@pytest.mark.parametrize(
    ("shape", "options", "reason"),
    [
        ((12,), {"values": 13}, "13 values of float32 (52 bytes), but the file has 48 bytes"),
        ((12,), {"values": 11}, "11 values of float32 (44 bytes), but the file has 48 bytes"),
        ((12,), {"values": 2**62}, "but the file has 48 bytes"),
        ((6,), {"kind": "Double"}, "12 values of float64 (96 bytes), but the file has 48 bytes"),
        ((13,), {}, "shape [13], but its storage has only 12 values"),
        ((2**40, 2**40), {}, "but its storage has only 12 values"),
        ((2**62,) * 16, {"strides": (0,) * 16}, "but its storage has only 12 values"),
        ((1000, 12), {"strides": (0, 1)}, "but its storage has only 12 values"),
        ((12,), {"offset": 1}, "extends to value 13"),
        ((1,), {"offset": 2**62}, "extends to value"),
        ((2,), {"strides": (12,)}, "extends to value 13"),
        ((2, 2), {"strides": (2**62, 2**62)}, "extends to value"),
        ((0,), {"offset": 13}, "extends to value 13"),
        ((-1,), {}, "-1 as a tensor's size"),
        ((2,), {"strides": (-1,), "offset": 5}, "-1 as a tensor's stride"),
        ((2,), {"offset": -4}, "-4 as a tensor's offset"),
        ((2, 2), {"strides": (1,)}, "2 dimensions and 1 strides"),
        ((1,) * 17, {}, "17 dimensions"),
        ((12,), {"values": -12}, "-12 as a storage's number of values"),
        ((12,), {"kind": "ComplexFloat"}, "'torch' 'ComplexFloatStorage'"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(tmp_path, shape, options, reason):
    with pytest.raises(CheckpointError) as error:
        open_pth(view(tmp_path, shape, **options))
    assert reason in str(error.value)
    assert str(tmp_path / "view.pth") in str(error.value)


def test_all_mismatches_are_told_at_once(tmp_path):
    weights = ordered_dict(
        *(text("long"), tensor("0", "Float", 12, (13,))),
        *(text("other type"), tensor("0", "Int", 12, (12,))),
        *(text("absent"), tensor("9", "Float", 12, (12,))),
        *(text("traversal"), tensor("../data.pkl", "Float", 12, (12,))),
        *(text("no tensor"), integer(3)),
        *(integer(5), tensor("0", "Float", 12, (12,))),
        *(text("a" * 300), tensor("0", "Float", 12, (12,))),
        *(text("escape\x1b[2J"), tensor("0", "Float", 12, (12,))),
    )
    with pytest.raises(CheckpointError) as error:
        open_pth(write_zip(tmp_path / "a.pth", program(weights), {"0": TWELVE.tobytes()}))
    message = str(error.value)
    assert "8 problems" in message
    assert "\x1b" not in message
    for part in (
        "'long'",
        "'other type'",
        "'9', which is missing",
        "'../data.pkl', which is missing",
        "holds a int",
        "'5'",
    ):
        assert part in message


@pytest.mark.parametrize("value", [integer(3), b"]", b"}", ordered_dict(), mapping(model=b"}"), b"N"])
def test_files_without_weights_are_refused(tmp_path, value):
    with pytest.raises(CheckpointError, match=r"weights|expected"):
        open_pth(write_zip(tmp_path / "a.pth", program(value), {}))
