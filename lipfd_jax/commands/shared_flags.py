"""Flags that several commands define: one definition each, with the values of their defaults.

Each `define_NAME` defines one flag for the command that calls it; a default that differs is an argument.
"""

import os

from absl import flags

from lipfd_jax.inference.engines import ENGINES
from lipfd_jax.inference.precision import SETTINGS as PRECISIONS
from lipfd_jax.kernels.dispatch import KERNEL_SETTINGS

flags.disclaim_key_flags()  # the flags belong to the command that defines them, also in its --help

CHECKPOINT = (
    "Workdir of a training run (its best step), one of its steps, a converted or packed checkpoint, an "
    "export, or lipfd:small, the detector that ships with this package."
)


def define_checkpoint() -> None:
    """Defines --checkpoint, one path."""
    flags.DEFINE_string("checkpoint", None, CHECKPOINT)


def define_step() -> None:
    """Defines --step."""
    flags.DEFINE_integer("step", None, "Step of a training run. Default: the best by validation AUC.")


def define_batch_size(default: int | None) -> None:
    """Defines --batch_size."""
    flags.DEFINE_integer("batch_size", default, "Windows per batch, over all devices.", lower_bound=1)


def define_engine() -> None:
    """Defines --engine."""
    flags.DEFINE_enum(
        "engine",
        "auto",
        ("auto", *ENGINES),
        "Inference engine of an export; auto: the first installed one that runs its format.",
    )


def define_precision() -> None:
    """Defines --precision of inference."""
    flags.DEFINE_enum(
        "precision",
        None,
        PRECISIONS,
        "Precision of the computation. Default: the checkpoint's. bfloat16 takes two thirds of the time on "
        "CPUs that multiply it fast, and changes scores slightly; auto times both and uses the faster one, "
        "unless scores are compared or calibrated, or the model takes released inputs.",
    )


def define_training_precision() -> None:
    """Defines --precision of training."""
    flags.DEFINE_enum(
        "precision",
        None,
        PRECISIONS,
        "Short for --config.model.dtype; auto: bfloat16 where the device computes it faster (a CPU is "
        "timed), otherwise float32.",
    )


def define_kernels() -> None:
    """Defines --kernels."""
    flags.DEFINE_enum("kernels", "auto", KERNEL_SETTINGS, "Implementation of the kernels; auto: by device.")


def define_distributed() -> None:
    """Defines --distributed, whose default is the environment variable LIPFD_DISTRIBUTED."""
    flags.DEFINE_bool(
        "distributed",
        os.environ.get("LIPFD_DISTRIBUTED", "0").lower() not in ("", "0", "false"),
        "Run as one of several processes (TPU pod slice, SLURM, or JAX_COORDINATOR_ADDRESS, "
        "JAX_NUM_PROCESSES and JAX_PROCESS_ID). Also set by LIPFD_DISTRIBUTED=1.",
    )


def define_compilation_cache() -> None:
    """Defines --compilation_cache; its default is JAX's environment variable, or a folder in ~/.cache."""
    flags.DEFINE_string(
        "compilation_cache",
        os.environ.get("JAX_COMPILATION_CACHE_DIR", os.path.expanduser("~/.cache/lipfd_jax/xla")),
        "Folder of compiled programs, reused by later runs; empty for none.",
    )


def define_overwrite(what: str) -> None:
    """Defines --overwrite; `what` is the output that it replaces."""
    flags.DEFINE_bool("overwrite", False, f"Replace {what}.")
