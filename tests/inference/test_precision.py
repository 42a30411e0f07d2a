"""Evaluation in another precision than the checkpoint's: which one, what is stored, how far scores move."""

import dataclasses
import types
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from flax import nnx

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import LoadedCheckpoint
from lipfd_jax.commands.train import set_precision
from lipfd_jax.inference import precision
from lipfd_jax.inference.precision import (
    apply_precision,
    bfloat16_is_faster,
    cpu_has_bfloat16,
    make_program_config,
    resolve_precision,
    with_precision,
)
from lipfd_jax.inference.program import make_forward
from lipfd_jax.kernels.dispatch import Kernels
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig, abstract_model
from lipfd_jax.runtime.mesh import make_mesh
from lipfd_jax.training.config import Experiment
from tests.drawn import drawn

CPU, TPU = ([types.SimpleNamespace(platform=name)] for name in ("cpu", "tpu"))


@pytest.mark.parametrize(
    ("setting", "devices", "able", "exact", "expected"),
    [
        (None, CPU, True, False, None),
        ("float32", TPU, True, False, "float32"),
        ("bfloat16", CPU, False, True, "bfloat16"),
        ("auto", CPU, True, False, "bfloat16"),
        ("auto", CPU, False, False, "float32"),
        ("auto", CPU, False, True, None),
        ("auto", CPU, True, True, None),
        ("auto", TPU, False, False, "bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_it_is_faster_and_nothing_is_compared(
    monkeypatch, setting, devices, able, exact, expected
):
    monkeypatch.setattr(precision, "bfloat16_is_faster", lambda: able)
    assert resolve_precision(setting, devices, exact=exact) == expected


@pytest.mark.parametrize(
    ("able", "half", "expected"),
    [(True, 0.5, True), (True, 0.9, False), (True, 2.0, False), (False, 0.5, False)],
)
def test_a_processor_that_multiplies_bfloat16_is_tried_as_well(monkeypatch, able, half, expected):
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: able)
    monkeypatch.setattr(precision, "_time_products", lambda products: [half, 1.0])
    assert bfloat16_is_faster.__wrapped__() == expected


def test_the_trial_runs_each_product():
    called = []

    def product(name, x, kernel):
        called.append(name)
        return x @ kernel

    assert all(seconds > 0 for seconds in precision._time_products([partial(product, name) for name in "ab"]))
    assert called == ["a", "b"]


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="precision='int8' is unknown; use one of float32, bfloat16, auto"):
        resolve_precision("int8", CPU, exact=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: A bf16 CPU\nflags\t\t: fpu avx512f avx512_bf16 sse\n", True),
        ("flags\t\t: fpu avx512f avx2\n", False),
        ("Features\t: fp asimd bf16\n", True),
    ],
)
def test_the_processor_says_what_it_multiplies(tmp_path, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_has_bfloat16(str(tmp_path / "cpuinfo")) == expected
    assert not cpu_has_bfloat16(str(tmp_path / "absent"))


@pytest.mark.parametrize("backbone", ["resnet_tiny", "convnext_tiny"])
def test_large_matrices_are_stored_in_half_and_nothing_else(backbone):
    config = ModelConfig("vit_tiny", backbone, dataclasses.replace(PAPER, picture_size=80, crop_size=32))
    model = abstract_model(config)
    model = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), model)
    half = with_precision(model, "bfloat16", CPU)
    kinds = {"/".join(map(str, path)): v[...].dtype for path, v in nnx.to_flat_state(nnx.state(half))}
    stored = {path for path, dtype in kinds.items() if dtype == jnp.bfloat16}
    assert "encoder/blocks/0/fc/kernel" in stored
    assert not any(path.startswith(("conv1", "fc", "get_weight", "backbone/conv1")) for path in stored)
    assert all(path.endswith("kernel") for path in stored)
    assert with_precision(model, None, CPU) is model
    assert with_precision(model, "bfloat16", TPU).config.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("dtype", "setting", "able", "compared", "said"),
    [
        ("bfloat16", None, False, False, True),
        ("bfloat16", None, True, False, False),
        ("bfloat16", None, False, True, False),
        ("bfloat16", "float32", False, False, False),
        ("float32", None, False, False, False),
    ],
)
def test_a_cpu_that_is_slow_in_a_checkpoints_precision_is_named(
    monkeypatch, caplog, dtype, setting, able, compared, said
):
    monkeypatch.setattr(precision, "bfloat16_is_faster", lambda: able)
    caplog.set_level("INFO", precision.__name__)
    config = ModelConfig("vit_tiny", "resnet_tiny", PAPER, dtype=dtype)
    model = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), abstract_model(config))
    opened = LoadedCheckpoint(model, Metadata(config, "paper"), epath.Path("model"), "")
    found, taken = apply_precision(opened, setting, CPU, compared=compared)
    assert found.metadata.model.dtype == (setting or dtype)
    assert taken == (setting or ("bfloat16" if dtype == "bfloat16" else None))
    assert (precision.SLOW in caplog.messages) == said


def test_a_cpu_keeps_float32_between_products():
    half = ModelConfig("vit_tiny", "resnet_tiny", dtype="bfloat16")
    assert make_program_config(half, Kernels("cpu", precision="bfloat16")).dtype == "float32"
    for kernels in (Kernels("plain"), Kernels("tpu")):
        assert make_program_config(half, kernels) is half


@pytest.mark.parametrize("setting", ["float32", "bfloat16"])
def test_training_takes_the_precision_asked_for(setting):
    assert set_precision(Experiment(), setting).model.dtype == setting
    assert set_precision(Experiment(), None) == Experiment()


@pytest.mark.slow
def test_scores_in_bfloat16_are_near():
    config = ModelConfig(
        "vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=280, crop_size=64)
    )
    model, mesh = drawn(config), make_mesh(devices=jax.devices()[:1])
    composites = np.random.default_rng(0).integers(0, 256, (2, 1000, 2500, 3), np.uint8)
    scores = []
    for setting in ("float32", "bfloat16"):
        graph, state = nnx.split(with_precision(model, setting, jax.devices()))
        scores.append(make_forward(graph, mesh, "cpu", setting)((state,), composites)[0])
    assert np.any(scores[0] != scores[1])
    np.testing.assert_allclose(scores[1], scores[0], atol=0.02)
