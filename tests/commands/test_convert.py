"""The released layout becomes one of our checkpoints, whole or not at all."""

import dataclasses
import math
import os
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import nnx, traverse_util

from lipfd_jax.checkpoints import released as conversion
from lipfd_jax.checkpoints.folders import read_metadata
from lipfd_jax.checkpoints.metadata import CheckpointError
from lipfd_jax.checkpoints.released import RELEASED_MODEL, convert_released, with_antialias
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.models.inputs import RELEASED
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from lipfd_jax.storage.locks import InUseError, lock_folder
from tests.checkpoints.pth.pth_files import named, ordered_dict, program, tensor, text, write_pth, write_zip
from tests.checkpoints.test_tables import released

CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(RELEASED, picture_size=280))


@pytest.fixture(scope="module")
def weights():
    """A small model's pure dict with distinct values."""
    rng = np.random.default_rng(0)
    shapes = traverse_util.flatten_dict(abstract_weights(CONFIG))
    return traverse_util.unflatten_dict({p: rng.random(s.shape, np.float32) for p, s in shapes.items()})


@pytest.fixture(scope="module")
def tensors(weights):
    """The same under the released names."""
    return released(weights)


def check(path, weights):
    opened = open_model(path)
    expected = traverse_util.flatten_dict(weights)
    found = traverse_util.flatten_dict(nnx.to_pure_dict(nnx.state(opened.model)))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(np.asarray(found[key]), value, err_msg=str(key))
    return opened


@pytest.mark.parametrize("layout", ["model", "bare", "module."])
def test_the_checkpoint_opens_like_one_of_our_own(tmp_path, weights, tensors, layout):
    named_ = {f"module.{key}": value for key, value in tensors.items()} if layout == "module." else tensors
    source = write_pth(tmp_path / "ckpt.pth", named_, model=layout == "model")
    convert_released(source, tmp_path / "new" / "out", config=CONFIG)
    opened = check(tmp_path / "new" / "out", weights)
    assert opened.metadata.model == CONFIG
    assert opened.metadata.window_convention == "released"
    assert "ckpt.pth" in opened.metadata.origin
    assert os.listdir(tmp_path / "new") == ["out"]


def test_half_precision_weights_are_converted(tmp_path, tensors):
    half = {k: v.astype(ml_dtypes.bfloat16) if v.dtype == np.float32 else v for k, v in tensors.items()}
    convert_released(write_pth(tmp_path / "ckpt.pth", half), tmp_path / "out", config=CONFIG)
    kernel = open_model(tmp_path / "out").model.fc.kernel[...]
    assert kernel.dtype == jnp.float32
    np.testing.assert_array_equal(np.asarray(kernel).T, half["backbone.fc.weight"].astype(np.float32))


def test_the_convention_is_recorded():
    assert ModelConfig("vit_l14", "resnet50", RELEASED) == RELEASED_MODEL
    assert with_antialias(RELEASED_MODEL).inputs == dataclasses.replace(RELEASED, released_antialias=True)


def broken(tensors):
    """Weights that don't fit, and what the message must hold."""
    misspelt = {k.replace("backbone.fc.weight", "backbone.fc.wieght"): v for k, v in tensors.items()}
    wrong = tensors | {
        "conv1.weight": np.zeros((3, 3, 5, 4), np.float32),
        "conv1.bias": np.zeros(3, np.int64),
        "backbone.conv2.weight": np.zeros(3, np.float32),
    }
    missing = {k: v for k, v in tensors.items() if not k.startswith("encoder.visual.ln_p")}
    return {
        "misspelt": (misspelt, ["unknown key backbone.fc.wieght", "nothing fills fc/kernel"]),
        "wrong": (
            wrong,
            [
                "(3, 3, 5, 4), expected (3, 3, 5, 5)",
                "conv1.bias: type int64",
                "unknown key backbone.conv2.weight",
            ],
        ),
        "missing": (missing, [f"encoder/ln_{x}/{y}" for x in ("pre", "post") for y in ("scale", "bias")]),
    }


@pytest.mark.parametrize("kind", ["misspelt", "wrong", "missing"])
def test_weights_that_do_not_fit_leave_nothing(tmp_path, tensors, kind):
    unfit, parts = broken(tensors)[kind]
    source = write_pth(tmp_path / "ckpt.pth", unfit)
    with pytest.raises(CheckpointError) as error:
        convert_released(source, tmp_path / "new" / "out", config=CONFIG)
    for part in [str(source), *parts]:
        assert part in str(error.value)
    assert os.listdir(tmp_path) == ["ckpt.pth"]


def test_hostile_and_damaged_files_leave_nothing(tmp_path, tensors):
    good = write_pth(tmp_path / "good.pth", tensors).read_bytes()
    (tmp_path / "cut.pth").write_bytes(good[: len(good) // 2])
    value = tensors["backbone.fc.weight"].tobytes()
    (tmp_path / "damaged.pth").write_bytes(good.replace(value, bytes([value[0] ^ 1]) + value[1:]))
    call = named("posix", "mkdir") + text(str(tmp_path / "canary")) + b"\x85R"
    write_zip(tmp_path / "hostile.pth", program(ordered_dict(text("a"), call)), {})
    lie = ordered_dict(text("conv1.bias"), tensor("0", "Float", 4, (3,)))
    write_zip(tmp_path / "lie.pth", program(lie), {"0": bytes(12)})
    files = sorted(os.listdir(tmp_path))
    for name, reason in {
        "cut": "truncated",
        "damaged": "is damaged",
        "hostile": "'posix' 'mkdir'",
        "lie": "has 12 bytes",
        "absent": "no such file",
    }.items():
        with pytest.raises(CheckpointError, match=reason):
            convert_released(tmp_path / f"{name}.pth", tmp_path / "out", config=CONFIG)
        assert sorted(os.listdir(tmp_path)) == files


def test_a_failed_save_leaves_nothing_and_keeps_what_was_there(tmp_path, weights, tensors, monkeypatch):
    source = write_pth(tmp_path / "ckpt.pth", tensors)
    convert_released(source, tmp_path / "out", config=CONFIG)

    def fail(path, *rest):
        pathlib.Path(path).mkdir()
        raise OSError("no space left on device")

    monkeypatch.setattr(conversion, "save_model", fail)
    with pytest.raises(OSError, match="no space"):
        convert_released(source, tmp_path / "out", config=CONFIG, overwrite=True)
    with pytest.raises(OSError, match="no space"):
        convert_released(source, tmp_path / "other", config=CONFIG)
    assert sorted(os.listdir(tmp_path)) == ["ckpt.pth", "out"]
    check(tmp_path / "out", weights)


def test_weights_that_are_not_numbers_are_refused(tmp_path, tensors):
    damaged = {key: value.copy() for key, value in tensors.items()}
    damaged["backbone.fc.weight"][0, :2] = np.nan, np.inf
    with pytest.raises(CheckpointError, match="fc/kernel holds 2 values that are NaN or infinite"):
        convert_released(write_pth(tmp_path / "ckpt.pth", damaged), tmp_path / "out", config=CONFIG)
    assert os.listdir(tmp_path) == ["ckpt.pth"]


# Converts as the command does but for the small network and for what {} puts in place of saving.
SMALL = """
import sys
from lipfd_jax.checkpoints import released
from lipfd_jax.models.inputs import RELEASED
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.commands import convert
import dataclasses, os, resource
from absl import app
inputs = dataclasses.replace(RELEASED, picture_size=280)
convert.RELEASED_MODEL = ModelConfig("vit_tiny", "resnet_tiny", inputs)
{}
convert.define_flags()
app.run(convert.main)
"""


def small_convert(source, out, instead=""):
    command = [sys.executable, "-c", SMALL.format(instead), str(source), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, tensors):
    source = write_pth(tmp_path / "ckpt.pth", tensors)
    # A limit on the size of files is what a process without privileges can have of a full disk.
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    done = small_convert(source, tmp_path / "out", limit)
    assert done.returncode == 1
    assert f"error: {tmp_path / 'out'}: File too large" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert os.listdir(tmp_path) == ["ckpt.pth"]


def test_what_a_killed_conversion_left_is_removed_by_the_next(tmp_path, weights, tensors):
    source = write_pth(tmp_path / "ckpt.pth", tensors)
    killed = "released.save_model = lambda path, *rest: (os.mkdir(path), os.kill(os.getpid(), 9))"
    assert small_convert(source, tmp_path / "out", killed).returncode == -9
    assert sorted(os.listdir(tmp_path)) == [".out.writing", "ckpt.pth"]
    convert_released(source, tmp_path / "out", config=CONFIG)
    assert sorted(os.listdir(tmp_path)) == ["ckpt.pth", "out"]
    # Killed between the two renamings, the checkpoint to be replaced comes back first.
    (tmp_path / ".out.writing").mkdir()
    os.replace(tmp_path / "out", tmp_path / ".out.writing" / "old")
    with pytest.raises(CheckpointError, match="exists already"):
        convert_released(source, tmp_path / "out", config=CONFIG)
    check(tmp_path / "out", weights)


def test_two_conversions_to_one_folder_do_not_meet(tmp_path, tensors):
    source = write_pth(tmp_path / "ckpt.pth", tensors)
    with lock_folder(tmp_path / ".out.writing", "a conversion"), pytest.raises(InUseError, match="under way"):
        convert_released(source, tmp_path / "out", config=CONFIG)


def test_only_checkpoints_are_overwritten_and_only_when_asked(tmp_path, tensors):
    source = write_pth(tmp_path / "ckpt.pth", tensors)
    convert_released(source, tmp_path / "out", config=CONFIG)
    with pytest.raises(CheckpointError, match="--overwrite"):
        convert_released(source, tmp_path / "out", config=CONFIG)
    other = dataclasses.replace(CONFIG, activation="gelu")
    convert_released(source, tmp_path / "out", config=other, overwrite=True)
    assert read_metadata(tmp_path / "out").model == other
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("kept")
    for path in (tmp_path / "precious", source):
        with pytest.raises(CheckpointError, match="not one of our checkpoints"):
            convert_released(source, path, config=CONFIG, overwrite=True)
    assert (tmp_path / "precious" / "file").read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["ckpt.pth", "out", "precious"]


def test_the_command_reports_a_refusal_and_writes_nothing(tmp_path):
    source = write_pth(tmp_path / "ckpt.pth", {"conv1.weight": np.zeros((3, 3, 5, 5), np.float32)})
    command = [sys.executable, "-m", "lipfd_jax", "convert", str(source), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{source} is refused, 566 problems:\n  missing: nothing fills" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["ckpt.pth"]


@pytest.mark.slow
def test_memory_stays_near_the_weights_kept(tmp_path):
    """At most 1.3 times the weights kept and 0.4 GB: neither the text encoder nor a second copy fits in."""
    config = dataclasses.replace(RELEASED_MODEL, encoder="vit_b16", backbone="resnet18")
    shapes = traverse_util.flatten_dict(abstract_weights(config))
    kept = sum(4 * math.prod(shape.shape) for shape in shapes.values())
    zeros = {path: np.zeros(shape.shape, np.float32) for path, shape in shapes.items()}
    weights = released(traverse_util.unflatten_dict(zeros))
    text_encoder = {"encoder.token_embedding.weight": np.zeros(200_000_000, np.float32)}
    source = write_pth(tmp_path / "ckpt.pth", weights | text_encoder)
    code = (
        "import dataclasses, pathlib, re\n"
        "from lipfd_jax.checkpoints.released import RELEASED_MODEL, convert_released\n"
        "config = dataclasses.replace(RELEASED_MODEL, encoder='vit_b16', backbone='resnet18')\n"
        f"convert_released({str(source)!r}, {str(tmp_path / 'out')!r}, config=config)\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"  # unlike getrusage not the parent's
        "print(1024 * int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]))"
    )
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert int(done.stdout) < 1.3 * kept + 0.4e9
