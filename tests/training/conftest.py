"""An experiment small enough to train in a test."""

import dataclasses

import pytest

from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.training.config import DataSettings, Experiment, OptimizerSettings


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
        model=ModelConfig("vit_tiny", "resnet_tiny", Inputs("paper", picture_size=80, crop_size=32)),
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
