"""Bilinear resizing of images, as PyTorch does it on float tensors, with the crop in the same step.

Sampling is a linear map along each axis that depends on sizes only. `Taps`, computed once in NumPy, hold
for every output position the input positions it reads and their weights. They are applied as a small
matrix product, or as gathers.
"""

import dataclasses
import functools
import math
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from lipfd_jax.kernels.dispatch import select_variant

# More than this many run in a loop: a program with hundreds of gathers takes XLA minutes to compile.
_UNROLLED_TAPS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Taps:
    """Input positions and weights of each output position of one axis: int32 and float32, (size, k) each."""

    length: int  # length of the input axis
    indices: np.ndarray
    weights: np.ndarray

    @property
    def size(self) -> int:
        return len(self.indices)

    def matrix(self) -> np.ndarray:
        """Returns the same map as a dense (size, length) float32 matrix."""
        dense = np.zeros((self.size, self.length), np.float32)
        np.add.at(dense, (np.arange(self.size)[:, None], self.indices), self.weights)
        return dense


@functools.lru_cache(maxsize=256)
def compute_taps(length: int, size: int, *, antialias: bool, box: tuple[float, float] | None = None) -> Taps:
    """Returns taps that resample `box` of an axis to `size` positions, pixel centres at half-integers.

    Args:
      length: positions of the input axis.
      size: positions of the output axis.
      antialias: widen the triangle filter when shrinking (torchvision's antialias=True).
      box: (start, stop) in pixels, fractions allowed; the whole axis if None. Only pixels that the box
        touches are read, as if the image had been cropped first.

    Raises:
      ValueError: the box is empty or exceeds the axis.
    """
    start, stop = box or (0, length)
    if not 0 <= start < stop <= length:
        raise ValueError(f"crop box {start}..{stop} must be a non-empty part of the axis 0..{length}")
    first = math.floor(start)
    read = math.ceil(stop) - first
    # In float32, like PyTorch: at position 2000 its rounding already changes weights by 1e-4.
    scale = np.float32((stop - start) / size)
    centres = scale * (np.arange(size, dtype=np.float32) + np.float32(0.5)) + np.float32(start - first)
    table = _antialiased_taps if antialias else _bilinear_taps
    indices, weights = table(centres, scale, read)
    return Taps(length, (indices + first).astype(np.int32), weights.astype(np.float32))


def _bilinear_taps(centres: np.ndarray, scale: np.float32, length: int) -> tuple[np.ndarray, np.ndarray]:
    position = np.clip(centres - np.float32(0.5), 0, length - 1)
    low = np.floor(position).astype(np.int32)
    high = np.minimum(low + 1, length - 1)
    fraction = position - low.astype(np.float32)
    return np.stack([low, high], 1), np.stack([1 - fraction, fraction], 1)


def _antialiased_taps(centres: np.ndarray, scale: np.float32, length: int) -> tuple[np.ndarray, np.ndarray]:
    support = np.maximum(scale, np.float32(1))
    low = np.maximum((centres - support + np.float32(0.5)).astype(np.int32), 0)
    high = np.minimum((centres + support + np.float32(0.5)).astype(np.int32), length)
    indices = low[:, None] + np.arange((high - low).max())
    distance = (indices.astype(np.float32) - centres[:, None] + np.float32(0.5)) / support
    weights = np.where(indices < high[:, None], np.maximum(1 - np.abs(distance), 0), 0)
    return np.minimum(indices, length - 1), weights / weights.sum(1, keepdims=True)


def compose_taps(outer: Taps, inner: Taps) -> Taps:
    """Returns the single step that equals `inner` followed by `outer`."""
    dense = outer.matrix().astype(np.float64) @ inner.matrix().astype(np.float64)
    count = np.count_nonzero(dense, axis=1).max()
    indices = np.sort(np.argsort(dense == 0, axis=1, kind="stable")[:, :count], axis=1)
    weights = np.take_along_axis(dense, indices, axis=1)
    return Taps(inner.length, indices.astype(np.int32), weights.astype(np.float32))


def resize(
    images: jax.Array, rows: Taps, columns: Taps, *, dtype: jax.typing.DTypeLike = jnp.float32
) -> jax.Array:
    """Resamples images (..., height, width, channels) to (..., rows.size, columns.size, channels).

    Args:
      images: uint8 or float.
      rows: taps of the height.
      columns: taps of the width.
      dtype: of the result. With bfloat16 the matrix products use bfloat16 weights.
    """
    return {"plain": plain, "gathers": gathers}[select_variant("resize")](images, rows, columns, dtype=dtype)


def plain(images: jax.Array, rows: Taps, columns: Taps, *, dtype: jax.typing.DTypeLike) -> jax.Array:
    """The definition: a matrix product along each axis, fastest on a TPU."""
    product = functools.partial(
        jnp.einsum,
        precision=jax.lax.Precision.HIGHEST if dtype == jnp.float32 else None,
        preferred_element_type=jnp.float32,
    )
    narrow = product("xw,...hwc->...hxc", jnp.asarray(columns.matrix(), dtype), images.astype(dtype))
    return product("yh,...hxc->...yxc", jnp.asarray(rows.matrix(), dtype), narrow.astype(dtype)).astype(dtype)


def gathers(images: jax.Array, rows: Taps, columns: Taps, *, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Sums of gathered pixels: few multiplications, fastest on a CPU."""

    def resize_one(image: jax.Array) -> jax.Array:
        return _gather_axis(_gather_axis(image, columns, -2), rows, -3).astype(dtype)

    if images.ndim == 3:
        return resize_one(images)
    # A loop over images: otherwise XLA fuses the resampling into each of its uses, and in a training step
    # computes it several times over (measured: 2.4 s instead of 0.7 s of CPU for 16 small samples).
    return jax.lax.map(lambda part: gathers(part, rows, columns, dtype=dtype), images)


def _gather_axis(images: jax.Array, taps: Taps, axis: int) -> jax.Array:
    shape = [1] * images.ndim
    shape[axis] = taps.size

    def tap(index: jax.Array, weight: jax.Array) -> jax.Array:
        return jnp.take(images, index, axis=axis).astype(jnp.float32) * weight.reshape(shape)

    indices, weights = taps.indices.T, taps.weights.T
    if len(indices) <= _UNROLLED_TAPS:
        parts = (tap(index, weight) for index, weight in zip(indices, weights, strict=True))
        return cast(jax.Array, sum(parts))
    start = tap(indices[0], weights[0])
    rest = jnp.asarray(indices[1:]), jnp.asarray(weights[1:])
    return jax.lax.scan(lambda total, one: (total + tap(*one), None), start, rest)[0]
