"""The command evaluate: a suite and the evaluation behind it share the weights and the program."""

import dataclasses
import types

import pytest
from flax import nnx

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import save_model
from lipfd_jax.commands import evaluate
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.scores import read_scores
from lipfd_jax.inference import loading, program
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.drawn import drawn


@pytest.fixture
def checkpoint(tmp_path):
    inputs = dataclasses.replace(PAPER, picture_size=80, crop_size=32)
    config = ModelConfig("vit_tiny", "resnet_tiny", inputs)
    weights = nnx.to_pure_dict(nnx.state(drawn(config)))
    save_model(tmp_path / "model", weights, Metadata(config, "released", origin="a test"))
    return tmp_path / "model"


def test_a_suite_and_the_evaluation_open_the_checkpoint_once(checkpoint, validation, tmp_path, monkeypatch):
    read, traced = [], []

    def counted(calls, function):
        return lambda *args, **rest: calls.append(1) or function(*args, **rest)

    monkeypatch.setattr(loading, "read_weights", counted(read, loading.read_weights))
    monkeypatch.setattr(program, "forward", counted(traced, program.forward))
    program.make_forward.cache_clear()
    given = types.SimpleNamespace(
        checkpoint=[str(checkpoint)],
        data=[str(validation)],
        split="validation",
        builder_config=None,
        step=None,
        output=str(tmp_path / "out"),
        fit=False,
        suite=["controls"],
        clips=None,
        clips_csv=None,
    )
    options = evaluate.Options(batch_size=4, examples=1, bootstrap=BootstrapSettings(10))
    evaluate._run_evaluation(given, options)
    assert (len(read), len(traced)) == (1, 1)
    plain, clean = (read_scores(tmp_path / "out" / name) for name in ("scores.csv", "controls/clean.csv"))
    assert sorted(clean.path) == sorted(plain.path)
    scores = dict(zip(clean.path, clean.score, strict=True))
    assert [scores[path] for path in plain.path] == pytest.approx(plain.score.tolist(), abs=1e-6)
    program.make_forward.cache_clear()  # those that were counted
