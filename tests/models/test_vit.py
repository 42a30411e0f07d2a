"""Shortcuts of the image encoder against the full computation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models.encoders import ENCODERS
from lipfd_jax.models.vit import VisionTransformer, quick_gelu


def encoder(**options):
    return VisionTransformer(ENCODERS["vit_tiny"], image_size=56, rngs=nnx.Rngs(0), **options)


run = nnx.jit(lambda model, images: model(images))


@pytest.fixture
def images():
    return jnp.asarray(np.random.default_rng(0).standard_normal((2, 56, 56, 3)), jnp.float32)


def test_class_token_alone_equals_all_tokens(images):
    @nnx.jit
    def long_way(model, images):
        tokens = model.embed(images)
        for block in model.blocks:
            tokens = block(tokens)
        return model.ln_post(tokens[:, 0]) @ model.projection[...]

    np.testing.assert_allclose(run(encoder(), images), long_way(encoder(), images), atol=1e-5)


def test_embedding_is_a_convolution(images):
    model = encoder()
    kernel = model.patch_embedding[...]
    patches = jax.lax.conv_general_dilated(
        images, kernel, (8, 8), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    tokens = patches.reshape(2, 49, -1) + model.position_embedding[...][1:]
    np.testing.assert_allclose(model.embed(images)[:, 1:], model.ln_pre(tokens), atol=1e-4)


@pytest.mark.slow
def test_recomputing_changes_no_gradient(images):
    def gradient(remat):
        graph, params = nnx.split(encoder(remat=remat))
        return jax.jit(jax.grad(lambda p: nnx.merge(graph, p)(images).sum()))(params)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), gradient(False), gradient(True))


def test_bfloat16_keeps_float32_parameters(images):
    model = encoder(dtype=jnp.bfloat16)
    assert {a.dtype for a in jax.tree.leaves(nnx.state(model))} == {jnp.dtype("float32")}
    found = run(model, images)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), run(encoder(), images), atol=0.15)


def test_activations_differ(images):
    assert np.abs(run(encoder(), images) - run(encoder(activation="gelu"), images)).max() > 1e-4
    np.testing.assert_allclose(quick_gelu(jnp.array(1.0)), 1 / (1 + np.exp(-1.702)), rtol=1e-6)


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of the patch"):
        VisionTransformer(ENCODERS["vit_tiny"], image_size=57, rngs=nnx.Rngs(0))
