"""One engine of `benchmarks.forward` in a process of its own: it takes a turn for every line it reads.

Answers are JSON: seconds, those of its threads together, probabilities, and the most memory held so far.
"""

import json
import os
import pathlib
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.processes import peak_bytes

Run = Callable[[], np.ndarray]  # one call of the network to its probabilities (B,)
CHECKPOINT, ONNX, INT8, TORCH, BATCH = "checkpoint", "onnx", "int8.xml", "network.pth", "batch.npz"
CLASSES = "network.json"  # names of the encoder and of the backbone


def jax_engine(folder: pathlib.Path, precision: str) -> Run:
    """Our own forward pass, as evaluation makes it."""
    import jax
    from flax import nnx

    from lipfd_jax.checkpoints.store import open_model
    from lipfd_jax.inference.precision import with_precision
    from lipfd_jax.inference.program import PairedProgram
    from lipfd_jax.kernels.dispatch import kernels_for, with_kernels
    from lipfd_jax.models.forward import forward_prepared
    from lipfd_jax.models.inputs import PreparedInputs
    from lipfd_jax.models.lipfd import LipFD
    from lipfd_jax.runtime.memory import release_freed_memory

    model = with_precision(open_model(folder / CHECKPOINT).model, precision, jax.devices())
    release_freed_memory()
    graph, state = nnx.split(model)
    prepared = PreparedInputs(*map(jax.numpy.asarray, batch(folder)))

    def forward(state: nnx.State, prepared: PreparedInputs) -> jax.Array:
        merged: LipFD = nnx.merge(graph, state)
        return jax.nn.sigmoid(forward_prepared(merged, prepared).logits)

    compiled = PairedProgram(jax.jit(with_kernels(forward, kernels_for(jax.devices(), "auto", precision))))
    return lambda: np.asarray(compiled(state, prepared))


def torch_engine(folder: pathlib.Path, form: str) -> Run:
    """PyTorch: "released" calls the backbone for each crop, "batched" once, "bfloat16" by autocast."""
    import torch

    from benchmarks.torch_network import TorchLipFD

    torch.set_grad_enabled(False)
    network = TorchLipFD(**json.loads((folder / CLASSES).read_text())).eval()
    network.load_state_dict(torch.load(folder / TORCH, mmap=True))
    image, crops = batch(folder)
    images = torch.from_numpy(image).permute(0, 3, 1, 2).contiguous()
    pieces = torch.from_numpy(crops).permute(0, 1, 2, 5, 3, 4).contiguous()
    if form == "bfloat16":  # entered once, so that matrices are cast once
        network = network.to(memory_format=torch.channels_last)
        torch.autocast("cpu", torch.bfloat16).__enter__()

    def run() -> np.ndarray:
        logits, _ = network(images, pieces, separate=form == "released")
        return torch.sigmoid(logits.float()).numpy()

    return run


def export_engine(folder: pathlib.Path, name: str, precision: str = "float32") -> Run:
    """Our export in another engine."""
    from lipfd_jax.inference.engines import open_export

    opened, prepared = open_export(folder / ONNX, name, precision), batch(folder)
    return lambda: opened.run(*prepared)[0]


def int8_engine(folder: pathlib.Path, precision: str) -> Run:
    """The same after NNCF's quantisation, the rest of the network in that precision."""
    from lipfd_jax.inference.engines import compile_openvino

    run, prepared = compile_openvino(folder / INT8, precision), batch(folder)
    return lambda: run(*prepared)[0]


def quantise(folder: pathlib.Path) -> None:
    """Writes the program of `int8_engine`: its times count, not its scores."""
    sys.modules.setdefault("openvino_telemetry", None)  # it would tell its makers of each use
    import openvino

    from lipfd_jax.exporting.int8 import quantise_model
    from lipfd_jax.exporting.onnx_file import MODEL

    image, crops = batch(folder)
    model = openvino.Core().read_model(folder / ONNX / MODEL)
    small = quantise_model(model, [{"picture": image[:1], "crops": crops[:1]}])
    openvino.save_model(small, folder / INT8, compress_to_fp16=False)


def batch(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Prepared composites and crops."""
    with np.load(folder / BATCH) as arrays:
        return arrays["image"], arrays["crops"]


ENGINES: dict[str, Callable[[pathlib.Path], Run]] = {
    "jax float32": lambda folder: jax_engine(folder, "float32"),
    "torch float32 15 backbone calls": lambda folder: torch_engine(folder, "released"),
    "torch float32 one backbone call": lambda folder: torch_engine(folder, "batched"),
    "onnxruntime float32": lambda folder: export_engine(folder, "onnxruntime"),
    "openvino float32": lambda folder: export_engine(folder, "openvino"),
    "jax bfloat16": lambda folder: jax_engine(folder, "bfloat16"),
    "torch bfloat16 channels last": lambda folder: torch_engine(folder, "bfloat16"),
    "openvino bfloat16": lambda folder: export_engine(folder, "openvino", precision="bfloat16"),
    "openvino int8": lambda folder: int8_engine(folder, "float32"),
    "openvino int8 rest bfloat16": lambda folder: int8_engine(folder, "bfloat16"),
}


def main(name: str, folder: str) -> None:
    """Takes turns until there is nothing more to read."""
    run = ENGINES[name](pathlib.Path(folder))
    for _ in sys.stdin:
        start, busy = time.perf_counter(), time.process_time()
        probabilities = run()
        answer = {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - busy,
            "probabilities": [float(p) for p in probabilities],
            "peak_bytes": peak_bytes(os.getpid()),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
