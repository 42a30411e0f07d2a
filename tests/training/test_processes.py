"""Runs of train.py as people start it: killed at any time, SIGTERM, other devices, several processes."""

import os
import random
import signal
import time

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.training import metrics_log
from tests import tiny_networks  # noqa: F401 (so that the runs' checkpoints can be opened here)
from tests.processes import free_port, start

STEPS = 12
MEAN, TINY = "tests/training/mean_experiment.py", "configs/lipfd.py:tiny"


def _start(config, workdir, data, *settings, **where):
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
    arguments = [f"--config={config}", f"--workdir={workdir}"]
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
def undisturbed(tmp_path_factory, data):
    """undisturbed(config): the workdir of a run on one device that nothing disturbed."""
    runs = {}

    def run(config):
        if config not in runs:
            runs[config] = tmp_path_factory.mktemp("undisturbed") / "run"
            _finished(_start(config, runs[config], data))
        return runs[config]

    return run


def _same(first, second):
    assert _losses(first) == _losses(second)
    assert len(metrics_log.read_log(first)) == len(metrics_log.read_log(second))
    leaves = [jax.tree.leaves(nnx.state(open_model(run, step=STEPS).model)) for run in (first, second)]
    for a, b in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_killed_at_a_random_moment_a_run_ends_the_same(undisturbed, tmp_path, data):
    rng = random.Random(5)
    process, target = _start(MEAN, tmp_path, data), rng.randint(3, 8)
    while process.poll() is None and max(_losses(tmp_path), default=0) < target:
        time.sleep(0.01)
    time.sleep(rng.random() * 0.1)  # also while a checkpoint is being written
    assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    _finished(_start(MEAN, tmp_path, data))
    _same(undisturbed(MEAN), tmp_path)


@pytest.mark.slow
def test_sigterm_saves_and_says_so(undisturbed, tmp_path, data):
    process = _start(MEAN, tmp_path, data)
    while max(_losses(tmp_path), default=0) < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.terminate()
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 75, output
    assert "run the same command again to resume" in output
    _finished(_start(MEAN, tmp_path, data))
    _same(undisturbed(MEAN), tmp_path)


@pytest.mark.slow
def test_four_devices_do_not_change_the_losses(undisturbed, tmp_path, data, monkeypatch):
    monkeypatch.setenv("JAX_LOG_COMPILES", "1")
    settings = ["--config.fsdp=2", "--config.optimizer.ema=0.9"]
    output = _finished(_start(TINY, tmp_path, data, *settings, devices=4))
    assert output.count("Finished XLA compilation of jit(step)") == 1
    assert "jit(slice)" not in output  # nothing is cut for checkpoints of so small a model
    _close(undisturbed(TINY), tmp_path)
    opened = open_model(tmp_path)  # averaged on four devices, opened on one
    assert opened.metadata.ema
    assert len(opened.model.fc.kernel[...].devices()) == 1


@pytest.mark.slow
def test_two_processes_and_then_one_do_not_change_the_losses(undisturbed, tmp_path, data):
    port, settings = free_port(), "--config.fsdp=2"
    pair = [_start(TINY, tmp_path, data, settings, devices=2, process=i, port=port) for i in range(2)]
    while max(_losses(tmp_path), default=0) < 5:
        assert all(process.poll() is None for process in pair), [p.communicate()[0] for p in pair]
        time.sleep(0.02)
    for process in pair:
        process.kill()
        process.communicate()
    reached = max(_losses(tmp_path))
    assert reached < STEPS
    _finished(_start(TINY, tmp_path, data))  # resumes with one process and one device
    _close(undisturbed(TINY), tmp_path)


def _close(first, second):
    """Sums over the batch are taken in another order: 1e-6 at first, and training makes it grow."""
    steps, others = _losses(first), _losses(second)
    assert sorted(steps) == sorted(others)
    both = np.array([[steps[s], others[s]] for s in sorted(steps)])
    np.testing.assert_allclose(both[:4, 0], both[:4, 1], rtol=1e-5)
    np.testing.assert_allclose(both[:, 0], both[:, 1], rtol=1e-2)
