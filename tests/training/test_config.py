"""Settings: from and to plain values, unknown ones refused, example experiments valid."""

import importlib

import pytest

from lipfd_jax.experiments.small import SMALL
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


@pytest.mark.parametrize("variant", ["", "b16", "unfrozen", "tiny"])
def test_published_configs_build(variant):
    config = importlib.import_module("lipfd_jax.experiments.lipfd").get_config(variant)
    experiment = Experiment.from_dict(config.to_dict())
    assert experiment.model.inputs.name == "paper"


@pytest.mark.parametrize("name", ["demo", "distilled", "small"])
def test_other_configs_build(name):
    config = importlib.import_module(f"lipfd_jax.experiments.{name}").get_config()
    assert Experiment.from_dict(config.to_dict()).name == name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size=0: expected at least 1"),
        ({"steps": 0}, "steps=0: expected 1 to"),
        ({"keep": 0}, "keep=0: expected at least 1"),
        ({"fsdp": 0}, "fsdp=0: expected at least 1"),
        ({"seed": -1}, "seed=-1"),
        ({"checkpoint_every": -5}, "checkpoint_every=-5: expected at least 0"),
        ({"data": {"validation_samples": -1}}, r"data\.validation_samples=-1: expected at least 0"),
        ({"data": {"threads": 0}}, r"data\.threads=0"),
        ({"data": {"augmentation": {"blur": 1.5}}}, r"data\.augmentation\.blur=1\.5: expected 0 to 1"),
        ({"optimizer": {"accumulate": 0}}, r"optimizer\.accumulate=0: expected at least 1"),
        ({"optimizer": {"warmup_steps": -1}}, r"optimizer\.warmup_steps=-1: expected at least 0"),
        ({"optimizer": {"learning_rate": float("nan")}}, r"optimizer\.learning_rate=nan"),
        ({"optimizer": {"learning_rate": float("inf")}}, r"optimizer\.learning_rate=inf"),
        ({"optimizer": {"ema": 1.5}}, r"optimizer\.ema=1\.5: expected 0 to 1"),
        ({"loss": {"label_smoothing": -0.1}}, r"loss\.label_smoothing=-0\.1"),
        ({"batch_size": 4, "optimizer": {"accumulate": 3}}, "equal parts"),
        ({"data": {"pairs": {"twins": 1.0}}}, "takes whole composites"),
        ({"loss": {"rank_weight": 1.0}}, r"without data\.pairs there are none"),
        ({"data": {"pairs": {"frame_numbers": [5]}}}, r"data\.pairs\.frame_numbers=\(5,\): expected some of"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Experiment.from_dict(values)


def test_motion_needs_the_frames_that_the_model_looks_at():
    values = SMALL.to_dict()
    values["data"]["pairs"]["frame_numbers"] = ()
    with pytest.raises(ValueError, match=r"motion is between the frames of model\.inputs\.frame_numbers"):
        Experiment.from_dict(values)
    values["data"]["pairs"]["frame_numbers"] = [0, 2, 4]
    assert Experiment.from_dict(values) == SMALL
