"""Converts the released weights into a checkpoint, or packs a checkpoint: lipfd convert SOURCE OUT.

lipfd convert ckpt.pth OUT                the released weights as a checkpoint
lipfd convert CHECKPOINT OUT --packed     a checkpoint or training run as a folder of four small files
"""

import sys
from pathlib import Path

import jax
from absl import app, flags, logging

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.packing import pack_checkpoint
from lipfd_jax.checkpoints.released import RELEASED_MODEL, convert_released, with_antialias
from lipfd_jax.commands import shared_flags
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.storage.locks import InUseError


def main(argv: list[str]) -> None:
    """Converts the first argument, a .pth file or a checkpoint, into the second, a checkpoint's folder."""
    if len(argv) != 3:
        raise app.UsageError("expected two arguments: the .pth file or checkpoint, and the folder to write")
    logging.set_verbosity(logging.FATAL)  # the libraries log their errors, which are raised as well
    jax.config.update("jax_platforms", "cpu")  # leaves the accelerator to other processes
    try:
        print((_pack if flags.FLAGS.packed else _convert)(argv[1], argv[2]))
    except (CheckpointError, InUseError, OSError) as error:
        sys.exit(f"error: {describe_error(error)}")


def _convert(source: str, out: str) -> str:
    config = with_antialias(RELEASED_MODEL) if flags.FLAGS.antialias else RELEASED_MODEL
    convert_released(source, out, config=config, overwrite=flags.FLAGS.overwrite)
    return f"{out}: {config.encoder} + {config.backbone}, input convention {config.inputs}"


def _pack(source: str, out: str) -> str:
    given = flags.FLAGS
    packed = pack_checkpoint(
        source,
        out,
        step=given.step,
        training_data=given.training_data,
        card=Path(given.card).read_text("utf-8") if given.card else "",
        overwrite=given.overwrite,
    )
    size = sum(file.stat().st_size for file in Path(out).iterdir()) / 1e6
    calibrated = "calibrated" if packed.calibration else "without a calibration"
    return f"{out}: {size:.1f} MB, weights {packed.fingerprint}, {calibrated}"


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_bool(
        "antialias",
        False,
        "The weights were validated with torchvision 0.17 or newer, which antialiases when resizing; the "
        "released code pins 0.16, which does not. Stored in the checkpoint.",
    )
    flags.DEFINE_bool(
        "packed",
        False,
        "SOURCE is a checkpoint or a training run; OUT becomes a folder of four files, kernels in float16, "
        "with its calibration and a model card.",
    )
    shared_flags.define_step()
    flags.DEFINE_string(
        "training_data",
        "",
        "With --packed: what the detector learned from, for readers of its reports: '450 clips of 160 "
        "people'. Default: as the checkpoint has it.",
    )
    flags.DEFINE_string("card", "", "With --packed: text file for MODEL_CARD.md. Default: known facts.")
    shared_flags.define_overwrite("an existing checkpoint")
