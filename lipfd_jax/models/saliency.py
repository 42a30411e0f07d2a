"""Saliency maps: how strongly each part of a composite influences the logit."""

import jax
import jax.numpy as jnp

from lipfd_jax.models.forward import forward
from lipfd_jax.models.lipfd import LipFD
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

CELL = 20  # side in pixels of a map's cells; gradients of single pixels are mostly noise
MAP_SHAPE = (COMPOSITE_SHAPE[0] // CELL, COMPOSITE_SHAPE[1] // CELL)  # rows, columns: 50, 125


def compute_saliency(model: LipFD, composites: jax.Array) -> jax.Array:
    """Input gradients of composites (B, 1000, 2500, 3) uint8 RGB as maps (B, 50, 125) float32, inside jit.

    A value is the mean over a 20x20 cell of the norm (over R, G and B) of the gradient of the logit with
    respect to pixel values in 0..255: how much the logit changes with a small change of a pixel there
    (Simonyan et al., arXiv 1312.6034). It covers both paths into the network, encoder and crops, and has no
    sign. The gradient passes through the model's own input convention, so pixels that convention skips in
    crops (as the released one does with four of five frames) get their value from the encoder alone.
    """

    def sum_logits(images: jax.Array) -> jax.Array:
        return forward(model, images).logits.sum()  # windows do not affect each other

    gradients = jax.grad(sum_logits)(composites.astype(jnp.float32))
    lengths = jnp.linalg.norm(gradients, axis=-1)
    rows, columns = MAP_SHAPE
    return lengths.reshape(-1, rows, CELL, columns, CELL).mean((2, 4))
