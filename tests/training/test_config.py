"""Settings: from and to plain values, unknown ones refused, example experiments valid."""

import importlib

import pytest

from lipfd_jax.training.config import Experiment


def test_round_trip(experiment):
    assert Experiment.from_dict(experiment.to_dict()) == experiment


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": {"learning_rat": 1.0}}, r"learning_rat\. Did you mean optimizer\.learning_rate"),
        ({"model": {"inputs": {"name": "papr"}}}, r"model\.inputs\.name='papr': expected one of"),
        ({"model": {"inputs": {"crop_size": 0}}}, r"inputs\.crop_size=0"),
        ({"steps": "many"}, "steps='many': expected int"),
        ({"steps": True}, "steps=True: expected int"),
        ({"name": 3}, "name=3: expected str"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Experiment.from_dict(values)


def test_what_is_not_named_stays():
    found = Experiment.from_dict({"model": {"inputs": {"crop_size": 64}}, "optimizer": {"clip_norm": 1}})
    assert found.model.dtype == Experiment().model.dtype == "bfloat16"
    assert (found.model.inputs.crop_size, found.model.inputs.picture_size) == (64, 1120)


@pytest.mark.parametrize("variant", ["", "b16", "tiny"])
def test_published_configs_build(variant):
    config = importlib.import_module("lipfd_jax.experiments.lipfd").get_config(variant)
    experiment = Experiment.from_dict(config.to_dict())
    assert experiment.model.inputs.name == "paper"


def test_demo_config_builds():
    config = importlib.import_module("lipfd_jax.experiments.demo").get_config()
    assert Experiment.from_dict(config.to_dict()).name == "demo"
