"""Convolutions on NHWC as each kind of device computes them fastest, forward and backward."""

from functools import partial

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import largest_divisor

_NUMBERS = ("NHWC", "HWIO", "NHWC")
_PICTURES = 2  # whose kernel gradient is computed at a time, in a CPU's cache


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x (N, H, W, inputs) times kernel (inputs, channels), a 1x1 convolution.

    As a matrix product it is faster on a CPU; TPUs keep one memory layout through a chain of convolutions.
    """
    return jax.lax.platform_dependent(
        x, kernel, cpu=jnp.matmul, default=lambda x, kernel: _convolve(x, kernel[None, None], 1)
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """x (N, H, W, inputs) with kernel (k, k, inputs, outputs), padded by half of k as in PyTorch.

    The gradient of the kernel is a sum of matrix products on a lone CPU, where XLA's own is two to four
    times slower.
    """
    return _convolve(x, kernel, stride)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple]:
    return _convolve(x, kernel, stride), (x, kernel)


def _backward(stride: int, kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    _, transposed = jax.vjp(lambda x: _convolve(x, kernel, stride), x)

    def by_xla(x: jax.Array, gradient: jax.Array) -> jax.Array:
        return jax.vjp(lambda kernel: _convolve(x, kernel, stride), kernel)[1](gradient)[0]

    def by_products(x: jax.Array, gradient: jax.Array) -> jax.Array:
        return _kernel_gradient(x, gradient, len(kernel), stride).astype(kernel.dtype)

    # Cutting a batch that is spread over devices into pieces would send all of it to each of them.
    cpu = by_products if jax.device_count() == 1 else by_xla
    return transposed(gradient)[0], jax.lax.platform_dependent(x, gradient, cpu=cpu, default=by_xla)


convolution.defvjp(_forward, _backward)


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    padding = [(len(kernel) // 2,) * 2] * 2
    return jax.lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=_NUMBERS)


def _kernel_gradient(x: jax.Array, gradient: jax.Array, size: int, stride: int) -> jax.Array:
    """Gradient (size, size, inputs, outputs) float32 from that of the result, a few pictures at a time."""
    pictures = largest_divisor(len(x), _PICTURES)
    rows, columns = (stride * (n - 1) + 1 for n in gradient.shape[1:3])

    def add(total: jax.Array, piece: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        x, gradient = piece
        x = jnp.pad(x, ((0, 0), *[(size // 2,) * 2] * 2, (0, 0)))
        gradient = gradient.reshape(-1, gradient.shape[-1])

        def row(i: int) -> jax.Array:
            shifted = [x[:, i : i + rows : stride, j : j + columns : stride] for j in range(size)]
            # Turned before the product: a CPU's is slow where it has to turn its left side itself.
            left = jax.lax.optimization_barrier(jnp.concatenate(shifted, -1).reshape(len(gradient), -1).T)
            return jnp.matmul(left, gradient, preferred_element_type=jnp.float32)

        found = jnp.stack([row(i) for i in range(size)])
        return total + found.reshape(total.shape), None

    zeros = jnp.zeros((size, size, x.shape[-1], gradient.shape[-1]), jnp.float32)
    cut = [a.reshape(-1, pictures, *a.shape[1:]) for a in (x, gradient)]
    return jax.lax.scan(add, zeros, tuple(cut))[0]
