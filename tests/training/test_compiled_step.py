"""A training step as XLA compiles it, beside the same operations kept apart: what XLA merges is right."""

import jax
import numpy as np
import pytest

from lipfd_jax.kernels.dispatch import kernels_for
from lipfd_jax.runtime.mesh import make_mesh, put_on_devices
from lipfd_jax.training.state import create_state, make_recipe
from lipfd_jax.training.step import jit_step, make_step
from tests.tiny_networks import TINY

# No operation is merged with another, by XLA or by the library it hands some of them to.
APART = {"xla_backend_optimization_level": 0, "xla_cpu_experimental_ynn_fusion_type": ""}


@pytest.mark.slow
def test_compiling_changes_no_number(changed):
    recipe, mesh = make_recipe(changed(model=TINY)), make_mesh(devices=jax.devices()[:1])
    state = create_state(recipe, mesh)
    composites = np.random.default_rng(0).integers(0, 256, (4, 1000, 2500, 3), np.uint8)
    batch = put_on_devices({"composite": composites, "label": np.array([0, 1, 1, 0], np.int32)}, mesh)
    kernels = kernels_for(mesh.devices.flat)
    apart = jax.jit(one_by_one(make_step(recipe, kernels)), compiler_options=APART)(state, batch)
    compiled = jit_step(recipe, kernels, state)(state, batch)  # as in training
    moments = [leaf for leaf in jax.tree.leaves(compiled[0].optimizer) if leaf.ndim]
    assert all(np.any(leaf) for leaf in moments)  # the gradients are in them
    for ours, theirs in zip(*map(jax.tree.leaves, (compiled, apart)), strict=True):
        scale = max(np.abs(theirs).max(), 1e-6)
        np.testing.assert_allclose(ours, theirs, atol=2e-3 * scale)


def one_by_one(function):
    """`function` with a barrier behind every operation."""

    def called(*args):
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
        results = _apart(closed.jaxpr, closed.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return called


def _apart(jaxpr, consts, args):
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def value(atom):
        return atom.val if hasattr(atom, "val") else values[atom]

    for equation in jaxpr.eqns:
        given = [value(atom) for atom in equation.invars]
        inner = equation.params.get("call_jaxpr")  # of functions with their own gradient
        if equation.primitive.name in ("jit", "pjit"):
            inner = equation.params["jaxpr"]
        if inner is not None:
            results = _apart(inner.jaxpr, inner.consts, given)
        else:
            results = equation.primitive.bind(*given, **equation.params)
            results = jax.lax.optimization_barrier(
                results if equation.primitive.multiple_results else [results]
            )
        values.update(zip(equation.outvars, results, strict=True))
    return [value(atom) for atom in jaxpr.outvars]
