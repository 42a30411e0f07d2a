"""Runs of train.py as people start it: other devices, several processes, kills at any time, SIGTERM."""

import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.training import metrics_log
from tests.processes import free_port, start

STEPS = 12


def _start(workdir, data, *settings, **where):
    values = {
        "steps": STEPS,
        "batch_size": 8,
        "log_every": 1,
        "evaluate_every": 6,
        "checkpoint_every": 2,
        **data,
        "data.augmentation.flip": 1.0,
        "model.inputs.picture_size": 80,
        "model.inputs.crop_size": 32,
    }
    arguments = ["--config=configs/lipfd.py:tiny", f"--workdir={workdir}"]
    arguments += [
        f"--compilation_cache={os.environ['JAX_COMPILATION_CACHE_DIR']}",
        *(f"--config.{k}={v}" for k, v in values.items()),
        *settings,
    ]
    return start("train.py", *arguments, **where)


def _losses(workdir):
    return {line["step"]: line["loss"] for line in metrics_log.read_log(workdir)}


def _finished(*processes):
    for process in processes:
        output, _ = process.communicate(timeout=400)
        assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def data(composites, validation):
    """Settings that name what is trained on and validated with."""
    return {"data.path": composites, "data.validation_path": validation}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """An undisturbed run on one device."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    _finished(_start(workdir, data))
    return workdir


def _same(first, second):
    assert _losses(first) == _losses(second)
    assert len(metrics_log.read_log(first)) == len(metrics_log.read_log(second))
    leaves = [jax.tree.leaves(nnx.state(open_model(run, step=STEPS).model)) for run in (first, second)]
    for a, b in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)


def test_killed_at_random_moments_a_run_ends_the_same(whole, tmp_path, data):
    rng, kills = random.Random(5), 0
    for _ in range(3):
        process = _start(tmp_path, data)
        target = max(_losses(tmp_path), default=0) + rng.randint(1, 4)
        while process.poll() is None and max(_losses(tmp_path), default=0) < target:
            time.sleep(0.02)
        time.sleep(rng.random() * 0.3)  # also while a checkpoint is being written
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    _finished(_start(tmp_path, data))
    assert kills >= 2
    _same(whole, tmp_path)


def test_sigterm_saves_and_says_so(whole, tmp_path, data):
    process = _start(tmp_path, data)
    while max(_losses(tmp_path), default=0) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 75, output
    assert "run the same command again to resume" in output
    _finished(_start(tmp_path, data))
    _same(whole, tmp_path)


def test_four_devices_do_not_change_the_losses(whole, tmp_path, data, monkeypatch):
    monkeypatch.setenv("JAX_LOG_COMPILES", "1")
    output = _finished(_start(tmp_path, data, "--config.fsdp=2", "--config.optimizer.ema=0.9", devices=4))
    assert output.count("Finished XLA compilation of jit(step)") == 1
    assert "jit(slice)" not in output  # nothing is cut for checkpoints of so small a model
    _close(whole, tmp_path)
    opened = open_model(tmp_path)  # averaged on four devices, opened on one
    assert opened.metadata.ema
    assert len(opened.model.fc.kernel[...].devices()) == 1


def test_two_processes_and_then_one_do_not_change_the_losses(whole, tmp_path, data):
    port = free_port()
    pair = [_start(tmp_path, data, "--config.fsdp=2", devices=2, process=i, port=port) for i in range(2)]
    while max(_losses(tmp_path), default=0) < 5:
        assert all(process.poll() is None for process in pair), [p.communicate()[0] for p in pair]
        time.sleep(0.02)
    for process in pair:
        process.kill()
        process.communicate()
    reached = max(_losses(tmp_path))
    assert reached < STEPS
    _finished(_start(tmp_path, data))  # goes on with one process and one device
    _close(whole, tmp_path)


def _close(first, second):
    """Sums over the batch are taken in another order: 1e-6 at first, and training makes it grow."""
    steps, others = _losses(first), _losses(second)
    assert sorted(steps) == sorted(others)
    both = np.array([[steps[s], others[s]] for s in sorted(steps)])
    np.testing.assert_allclose(both[:4, 0], both[:4, 1], rtol=1e-5)
    np.testing.assert_allclose(both[:, 0], both[:, 1], rtol=1e-2)


def test_a_typo_is_refused_with_a_hint(tmp_path, data):
    process = _start(tmp_path, data, "--config.optimizer.learning_rat=1")
    output, _ = process.communicate()
    assert process.returncode
    assert 'Did you mean "learning_rate"' in output


def test_missing_data_is_said_plainly(tmp_path):
    process = _start(tmp_path, {"data.path": tmp_path / "nowhere"})
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "lipfd build" in output
    assert "Traceback" not in output


def test_a_corrupt_record_has_an_exit_code_of_its_own(tmp_path, composites):
    folder = shutil.copytree(composites, tmp_path / "pictures")
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no picture")
    process = _start(tmp_path / "run", {"data.path": folder, "data.validation_split": ""})
    output, _ = process.communicate()
    assert process.returncode == 77, output
    assert "window 0" in output
    assert "corrupt_records=skip" in output
    assert "Traceback" not in output


def test_nobody_validates_with_what_is_trained_on(tmp_path, composites):
    process = _start(tmp_path / "run", {"data.path": composites})
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "error: data.path" in output
    assert "Traceback" not in output
