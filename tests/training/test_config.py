"""Settings: from and to plain values, unknown ones refused, example experiments valid."""

import importlib

import pytest

from lipfd_jax.training.config import Experiment, ModelSettings


def test_round_trip(experiment):
    assert Experiment.from_dict(experiment.to_dict()) == experiment


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match=r"optimizer\.learning_rat"):
        Experiment.from_dict({"optimizer": {"learning_rat": 1.0}})


def test_unknown_convention_is_refused():
    with pytest.raises(ValueError, match=r"model\.convention='papr'.*paper"):
        ModelSettings(convention="papr").build()


@pytest.mark.parametrize("variant", ["", "b16", "tiny"])
def test_published_configs_build(variant):
    config = importlib.import_module("lipfd_jax.experiments.lipfd").get_config(variant)
    experiment = Experiment.from_dict(config.to_dict())
    assert experiment.model.build().inputs.name == "paper"


def test_demo_config_builds():
    config = importlib.import_module("lipfd_jax.experiments.demo").get_config()
    assert Experiment.from_dict(config.to_dict()).name == "demo"
