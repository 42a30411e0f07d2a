"""Converts the released weights into a checkpoint: lipfd convert ckpt.pth OUT."""

import sys

import jax
from absl import app, flags, logging

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.released import RELEASED_MODEL, convert_released, with_antialias
from lipfd_jax.commands import shared_flags
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.storage.locks import InUseError


def main(argv: list[str]) -> None:
    """Converts the first argument, a .pth file, into the second, a checkpoint folder."""
    if len(argv) != 3:
        raise app.UsageError("expected two arguments: the .pth file and the folder to write")
    logging.set_verbosity(logging.FATAL)  # the libraries log their errors, which are raised as well
    jax.config.update("jax_platforms", "cpu")  # leaves the accelerator to other processes
    config = with_antialias(RELEASED_MODEL) if flags.FLAGS.antialias else RELEASED_MODEL
    try:
        convert_released(argv[1], argv[2], config=config, overwrite=flags.FLAGS.overwrite)
    except (CheckpointError, InUseError, OSError) as error:
        sys.exit(f"error: {describe_error(error)}")
    print(f"{argv[2]}: {config.encoder} + {config.backbone}, input convention {config.inputs}")


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_bool(
        "antialias",
        False,
        "The weights were validated with torchvision 0.17 or newer, which antialiases when resizing; the "
        "released code pins 0.16, which does not. Stored in the checkpoint.",
    )
    shared_flags.define_overwrite("an existing checkpoint")
