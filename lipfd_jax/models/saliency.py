"""Where the model looks: how strongly each part of a composite moves the logit."""

import jax
import jax.numpy as jnp

from lipfd_jax.models.forward import forward
from lipfd_jax.models.lipfd import LipFD
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

CELL = 20  # side in pixels of the squares a map is made of; gradients of single pixels are mostly noise
MAP_SHAPE = (COMPOSITE_SHAPE[0] // CELL, COMPOSITE_SHAPE[1] // CELL)  # rows, columns: 50, 125


def compute_saliency(model: LipFD, composites: jax.Array) -> jax.Array:
    """Input gradients of composites (B, 1000, 2500, 3) uint8 RGB: maps (B, 50, 125) float32. Runs inside jit.

    A value is the mean over a square of 20x20 pixels of the gradient's length (over R, G and B) of the logit
    by pixel values in 0..255: how much the logit moves when a pixel there changes a little (Simonyan et al.,
    arXiv 1312.6034). It takes both ways into the network, encoder and crops, and knows no sign. The gradient
    goes through the model's own input convention, so what that leaves out (as the released one does with
    four of the five frames in its crops) gets what the encoder alone makes of it.
    """

    def total(pictures: jax.Array) -> jax.Array:
        return forward(model, pictures).logits.sum()  # windows don't see each other

    gradients = jax.grad(total)(composites.astype(jnp.float32))
    lengths = jnp.linalg.norm(gradients, axis=-1)
    rows, columns = MAP_SHAPE
    return lengths.reshape(-1, rows, CELL, columns, CELL).mean((2, 4))
