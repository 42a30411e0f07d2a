"""Selection of kernels: by the devices of a mesh, or by a setting."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.kernels.dispatch import (
    KERNEL_SETTINGS,
    VARIANTS,
    Kernels,
    kernels_for,
    select_variant,
    use_kernels,
    with_kernels,
)
from lipfd_jax.kernels.product import product


def device(platform):
    return types.SimpleNamespace(platform=platform)


@pytest.mark.parametrize("platform", ["cpu", "tpu", "gpu"])
def test_auto_follows_the_devices(platform):
    assert kernels_for([device(platform)]) == Kernels(platform, spread=False)
    assert kernels_for([device(platform)] * 2) == Kernels(platform, spread=True)


def test_unknown_devices_get_plain_operations():
    assert kernels_for([device("npu")]).implementation == "plain"


@pytest.mark.parametrize("setting", KERNEL_SETTINGS[1:])
def test_any_implementation_can_be_forced(setting):
    assert kernels_for([device("cpu")], setting) == Kernels(setting)


def test_other_settings_are_refused():
    with pytest.raises(ValueError, match="kernels='cuda' is unknown; use one of auto, plain, cpu, tpu, gpu"):
        kernels_for([device("cpu")], "cuda")


def test_plain_has_no_variants():
    assert {Kernels("plain").variant(name) for name in VARIANTS} == {"plain"}


def test_a_spread_batch_is_not_cut():
    alone, spread = Kernels("cpu"), Kernels("cpu", spread=True)
    differ = {name for name in VARIANTS if alone.variant(name) != spread.variant(name)}
    assert differ == {"channel_sums", "chunks", "convolution", "depthwise", "product"}
    assert {spread.variant(name) for name in differ} == {"plain"}


def test_the_innermost_choice_counts_and_ends():
    before = select_variant("attention")
    with use_kernels(Kernels("tpu")):
        with use_kernels("cpu"):
            assert select_variant("attention") == "head_groups"
        assert select_variant("product") == "convolution"
    assert select_variant("attention") == before


def test_a_bound_function_keeps_its_choice_wherever_it_is_called():
    x, kernel = (
        jnp.asarray(np.random.default_rng(0).standard_normal((2, 3, 4, 5)), jnp.float32),
        jnp.ones((5, 6)),
    )
    programs = {}
    for name in ("plain", "tpu"):
        function = jax.jit(with_kernels(lambda x, kernel: product(x, kernel), Kernels(name)))
        with use_kernels(Kernels("gpu")):
            programs[name] = function.lower(x, kernel).as_text()
            np.testing.assert_allclose(function(x, kernel), np.asarray(x) @ np.asarray(kernel), rtol=1e-5)
    assert "dot_general" in programs["plain"]
    assert "stablehlo.convolution" in programs["tpu"]
    assert "dot_general" not in programs["tpu"]
