"""A folder of tiny composites and an experiment small enough to train in a test."""

import dataclasses

import cv2
import numpy as np
import pytest

from lipfd_jax.training.config import DataSettings, Experiment, ModelSettings, OptimizerSettings


def write_composites(folder, videos: int = 3, windows: int = 2) -> None:
    """Writes composites whose fakes are brighter in the middle of each frame."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("0_real", "1_fake")):
        (folder / name).mkdir(parents=True)
        for video in range(videos):
            for window in range(windows):
                small = rng.integers(0, 120, (20, 50, 3), np.uint8)
                picture = cv2.resize(small, (2500, 1000), interpolation=cv2.INTER_LINEAR)
                for frame in range(5):
                    picture[650:850, 500 * frame + 150 : 500 * frame + 350] += np.uint8(100 * label)
                cv2.imwrite(str(folder / name / f"{video}_{window}.png"), picture)


@pytest.fixture(scope="session")
def composites(tmp_path_factory):
    """A folder of 12 composites, half of them fake."""
    folder = tmp_path_factory.mktemp("composites")
    write_composites(folder)
    return folder


@pytest.fixture
def experiment(composites) -> Experiment:
    """Six steps of a very small model."""
    return Experiment(
        name="test",
        steps=6,
        batch_size=4,
        log_every=1,
        evaluate_every=3,
        checkpoint_every=2,
        model=ModelSettings("vit_tiny", "resnet_tiny", picture_size=80, crop_size=32, dtype="float32"),
        data=DataSettings(path=str(composites), threads=1),
        optimizer=OptimizerSettings(learning_rate=1e-3, warmup_steps=2),
    )


@pytest.fixture
def changed(experiment):
    """Changes settings of the experiment: changed(steps=3, optimizer={"ema": 0.9})."""

    def change(**values) -> Experiment:
        for name, value in values.items():
            if isinstance(value, dict):
                values[name] = dataclasses.replace(getattr(experiment, name), **value)
        return dataclasses.replace(experiment, **values)

    return change
