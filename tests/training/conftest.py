"""An experiment small enough to train in a test."""

import dataclasses
import os
import shutil
from collections.abc import Callable

import pytest

from lipfd_jax.training.config import DataSettings, Experiment, OptimizerSettings
from tests.tiny_networks import MEAN


@pytest.fixture
def experiment(composites) -> Experiment:
    """Four steps of a network that compiles in a second, without validation."""
    return Experiment(
        name="test",
        steps=4,
        batch_size=4,
        log_every=1,
        evaluate_every=2,
        checkpoint_every=2,
        model=MEAN,
        data=DataSettings(path=str(composites), validation_split="", threads=1),
        optimizer=OptimizerSettings(learning_rate=1e-3, warmup_steps=2),
    )


@pytest.fixture
def validated(validation) -> dict[str, str]:
    """Settings of the data for validation with other composites."""
    return {"validation_path": str(validation), "validation_split": "validation"}


@pytest.fixture
def pictures(composites, tmp_path):
    """A copy of the composites, times kept, to be changed; and a function that damages one in place."""
    folder = shutil.copytree(composites, tmp_path / "pictures")

    def damage(name: str) -> Callable[[], None]:
        """Damages a picture without a trace in size and time; returns what mends it."""
        path, stat = folder / name, (folder / name).stat()
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + bytes(len(whole) - 100))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

        def mend() -> None:
            path.write_bytes(whole)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

        return mend

    return folder, damage


@pytest.fixture
def changed(experiment):
    """Changes settings of the experiment: changed(steps=3, optimizer={"ema": 0.9})."""

    def change(**values) -> Experiment:
        for name, value in values.items():
            if isinstance(value, dict):
                values[name] = dataclasses.replace(getattr(experiment, name), **value)
        return dataclasses.replace(experiment, **values)

    return change
