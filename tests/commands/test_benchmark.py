"""The command lipfd benchmark: a whole run with a small network, and its errors."""

import json
from types import SimpleNamespace

import jax
import pytest
from flax import nnx

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import save_model
from lipfd_jax.commands import benchmark
from lipfd_jax.experiments.small import SMALL
from lipfd_jax.models.lipfd import LipFD
from lipfd_jax.tools.machine_benchmark import plan_training
from tests.tiny_networks import MEAN


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Parsed flags."""
    flags = SimpleNamespace(training=True, json=str(tmp_path / "times.json"), compilation_cache="")
    monkeypatch.setattr(benchmark.flags, "FLAGS", flags)
    return flags


def test_the_times_of_a_machine_are_printed_and_written(tmp_path, given, capsys):
    weights = nnx.to_pure_dict(nnx.state(LipFD(MEAN, rngs=nnx.Rngs(0))))
    save_model(tmp_path / "model", weights, Metadata(MEAN, "paper", origin="drawn"))
    assert benchmark.main(["lipfd benchmark", str(tmp_path / "model")]) is None
    printed, measured = capsys.readouterr().out, json.loads((tmp_path / "times.json").read_text())
    assert measured["machine"]["jax"] == jax.__version__
    assert measured["size"] == [224, 224]
    assert measured["windows"] == 10
    assert 0 < measured["decoding_seconds"] < measured["detection_seconds"]
    assert sum(measured["parts_seconds"].values()) < measured["detection_seconds"]
    assert set(measured["scored_windows_per_second"]) == {"float32", "bfloat16"}
    assert measured["trained_windows_per_second"] > 0
    for row in (
        "decoding alone",
        "picture and faces",
        "model",
        "bfloat16",
        "training",
        "hours of such video",
    ):
        assert row in printed


def test_what_can_not_be_opened_is_one_line(tmp_path, given, capsys):
    assert benchmark.main(["lipfd benchmark", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("error: ")
    (tmp_path / "text.mp4").write_text("no video")
    assert benchmark.main(["lipfd benchmark", "lipfd:small", str(tmp_path / "text.mp4")]) == 1
    assert "text.mp4" in capsys.readouterr().err


def test_a_network_without_encoder_is_trained_on_pairs():
    experiment = plan_training(Metadata(SMALL.model, "paper"))
    assert experiment.data.pairs.wanted
    assert not plan_training(Metadata(MEAN, "paper")).data.pairs.wanted
