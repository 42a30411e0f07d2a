"""Seconds per window of the evaluation forward pass on this machine's CPU, against PyTorch, in one run.

    python -m benchmarks.forward [--batches=1,2,8] [--repeats=5] [--output=forward.json]

Needs PyTorch beside the project. Both sides get the same weights and the same prepared pictures, float32,
and their logits are compared. Sides take turns, so that a busy moment of the machine hits all of them; the
fastest turn of each counts. The share of peak is of the fastest matrix product seen here, by either side.
"""

import json
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
from absl import app, flags
from flax import nnx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.torch_network import TorchLipFD
from benchmarks.turns import fastest
from lipfd_jax.checkpoints import tables
from lipfd_jax.kernels.choice import SETTINGS, bound
from lipfd_jax.models.forward import forward_prepared
from lipfd_jax.models.inputs import RELEASED, Prepared, prepare
from lipfd_jax.models.lipfd import LipFD, ModelConfig, abstract_weights

_ENCODER = flags.DEFINE_string("encoder", "vit_l14", "Image encoder.")
_BACKBONE = flags.DEFINE_string("backbone", "resnet50", "Backbone.")
_BATCHES = flags.DEFINE_list("batches", ["1", "2", "8"], "Windows per call.")
_REPEATS = flags.DEFINE_integer("repeats", 5, "Turns of each side.")
_KERNELS = flags.DEFINE_enum("kernels", "auto", SETTINGS, "How our side computes operations.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the figures as JSON.")


def peak(repeats: int) -> dict[str, float]:
    """Floating-point operations per second of the best matrix product, per side."""
    rates = [_product_rates(size, repeats) for size in (1024, 2048, 4096)]
    return {side: max(rate[side] for rate in rates) for side in rates[0]}


def _product_rates(size: int, repeats: int) -> dict[str, float]:
    a, b = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    product, left, right = jax.jit(jnp.matmul), jnp.asarray(a), jnp.asarray(b)
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    sides = {"jax": lambda: product(left, right).block_until_ready(), "torch": lambda: x @ y}
    return {name: 2 * size**3 / seconds for name, seconds in fastest(sides, 2 * repeats).items()}


def jax_side(config: ModelConfig, network: TorchLipFD) -> tuple[dict, Callable]:
    """Parameters converted from the PyTorch network, and the jitted forward pass."""
    tensors = {key: value.numpy() for key, value in network.state_dict().items()}
    params = tables.to_params(tensors, tables.RELEASED_LIPFD, abstract_weights(config))

    def forward(params: dict, prepared: Prepared) -> jax.Array:
        model = nnx.eval_shape(lambda: LipFD(config, rngs=nnx.Rngs(0)))
        nnx.update(model, params)
        return forward_prepared(model, prepared).logits

    return jax.tree.map(jnp.asarray, params), jax.jit(bound(forward, _KERNELS.value))


def measure(batch: int, network: TorchLipFD, params: dict, forward: Callable, repeats: int) -> dict:
    """Seconds per window of every side, and the largest difference of the logits."""
    noise = np.random.default_rng(0).integers(0, 256, (batch, 1000, 2500, 3), np.uint8)
    prepared = jax.jit(prepare, static_argnums=1)(noise, RELEASED)
    pictures = torch.from_numpy(np.array(prepared.image)).permute(0, 3, 1, 2).contiguous()
    pieces = torch.from_numpy(np.array(prepared.crops)).permute(0, 1, 2, 5, 3, 4).contiguous()
    sides = {
        "jax": lambda: np.asarray(forward(params, prepared)),
        "torch as released": lambda: network(pictures, pieces, separate=True)[0].numpy(),
        "torch batched": lambda: network(pictures, pieces)[0].numpy(),
    }
    difference = max(np.abs(sides["jax"]() - sides[name]()).max() for name in sides if name != "jax")
    seconds = {name: value / batch for name, value in fastest(sides, repeats).items()}
    return {"batch": batch, "seconds per window": seconds, "largest logit difference": float(difference)}


def flops(network: TorchLipFD) -> int:
    """Floating-point operations of one window."""
    # Attention as two products: the counter knows no flash attention on a CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 1120, 1120), torch.zeros(1, 5, 3, 3, 224, 224))
    return counter.get_total_flops()


@torch.inference_mode()
def main(_: list[str]) -> None:
    """Measures, prints a table and writes the figures."""
    torch.manual_seed(0)
    network = TorchLipFD(_ENCODER.value, _BACKBONE.value).eval()
    params, forward = jax_side(ModelConfig(_ENCODER.value, _BACKBONE.value, RELEASED), network)
    work, rates = flops(network), peak(_REPEATS.value)
    print(
        f"{work / 1e9:.0f} GFLOP a window; matrix products {rates['jax'] / 1e9:.0f} GFLOP/s in jax, ", end=""
    )
    print(f"{rates['torch'] / 1e9:.0f} in torch")
    print("batch   jax s  released s  batched s  ratio  of peak  logits differ by")
    rows = []
    for batch in map(int, _BATCHES.value):
        row = measure(batch, network, params, forward, _REPEATS.value)
        ours, *theirs = row["seconds per window"].values()
        row |= {"ratio": min(theirs) / ours, "share of peak": work / ours / max(rates.values())}
        rows.append(row)
        print(f"{batch:5} {ours:7.3f} {theirs[0]:11.3f} {theirs[1]:10.3f} {row['ratio']:6.2f}", end=" ")
        print(f"{row['share of peak']:8.1%}  {row['largest logit difference']:.1e}", flush=True)
    if _OUTPUT.value:
        figures = {"flops": work, "peak": rates, "rows": rows}
        pathlib.Path(_OUTPUT.value).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    app.run(main)
