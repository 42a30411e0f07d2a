"""Packs a checkpoint of any kind into a folder of four files, for copying, publishing or shipping."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath
from flax import nnx

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.errors import CheckpointError, refusal
from lipfd_jax.checkpoints.fingerprints import array_checksums, compute_fingerprint
from lipfd_jax.checkpoints.folders import read_metadata
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.packed import CARD, round_weights, write_packed
from lipfd_jax.checkpoints.store import LoadedCheckpoint, open_model
from lipfd_jax.storage.atomic_folder import publish_folder, recover_folder


def pack_checkpoint(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    step: int | None = None,
    training_data: str = "",
    origin: str = "",
    calibration: Calibration | None = None,
    card: str = "",
    overwrite: bool = False,
) -> LoadedCheckpoint:
    """Writes the weights of a checkpoint as a packed one, atomically, and returns that, opened.

    An average of the weights, which evaluation uses, takes their place. Rounding kernels to float16 changes
    the fingerprint of the weights and moves scores by some ten-thousandths; the calibration is kept for the
    rounded weights.

    Args:
      source: as accepted by `store.open_model`.
      out: folder to create.
      step: of a training run; by default its best.
      training_data: description for readers, see `Metadata`; by default the source's.
      origin: likewise.
      calibration: replaces the source's; fitted on scores of this model, or of its folds.
      card: text of MODEL_CARD.md; by default that of the source, or facts of the checkpoint.
      overwrite: replace an existing checkpoint.

    Raises:
      CheckpointError: `source` can't be opened, or `out` exists already.
      OSError: the disk is full, or the folder is not writable; no partial output remains.
      InUseError: another process writes the same folder.
    """
    out = Path(out)
    recover_folder(out)
    check_free(out, overwrite)
    loaded = open_model(source, step=step)
    weights = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(loaded.model)))
    metadata = dataclasses.replace(
        loaded.metadata,
        training_data=training_data or loaded.metadata.training_data,
        origin=origin or loaded.metadata.origin,
        calibration=calibration or loaded.calibration,
    )
    with publish_folder(out, "a packed checkpoint") as folder:
        folder.mkdir(parents=True)
        write_weights(folder, weights, metadata, card=card or _read_card(loaded.path))
    return open_model(out)


def _read_card(source: epath.Path) -> str:
    """Text of the model card in a checkpoint's folder; "" if there is none."""
    file = source / CARD
    return file.read_text() if file.exists() else ""


def write_weights(folder: Path, weights: Any, metadata: Metadata, *, card: str = "") -> Metadata:
    """Writes weights (a pure dict in the model's structure, float32) as a packed checkpoint into a folder.

    Args:
      folder: exists and is empty.
      metadata: of the weights; its calibration is stored as one of the rounded weights.
      card: text of MODEL_CARD.md; by default facts of the checkpoint.

    Returns:
      The metadata as stored, with checksums and calibration of the rounded weights.
    """
    rounded = round_weights(weights)
    sums = array_checksums(rounded)
    calibration = metadata.calibration
    if calibration:
        calibration = dataclasses.replace(calibration, weights=compute_fingerprint(sums))
    stored = dataclasses.replace(metadata, ema=False, sums={"model": sums}, calibration=calibration)
    write_packed(folder, rounded, stored, calibration=calibration, card=card or make_card(stored))
    return stored


def make_card(metadata: Metadata) -> str:
    """Makes a model card of the facts that the metadata hold."""
    model, found = metadata.model, metadata.calibration
    lines = [
        "# Model card",
        "",
        f"* Model: {model.encoder} + {model.backbone}, {model.inputs.name} inputs, "
        f"{metadata.window_convention} windows.",
        f"* Origin: {metadata.origin or 'unknown'}.",
        f"* Training data: {metadata.training_data or 'not described'}.",
    ]
    if metadata.synthetic:
        lines.append("* Trained on drawn people: scores say nothing about real faces.")
    if found:
        lines.append(
            f"* At its threshold it called {100 * found.false_positive_rate:.1f} % of real videos forged and "
            f"missed {100 * found.false_negative_rate:.1f} % of forgeries, on {found.videos} videos of "
            f"{found.sources_real} real and {found.sources_fake} forged sources: {found.data}."
        )
    else:
        lines.append("* No calibration: its error rates were not measured.")
    return "\n".join([*lines, ""])


def check_free(out: Path, overwrite: bool) -> None:
    """Raises CheckpointError if `out` exists, and is not to be overwritten or is not a checkpoint."""
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise refusal(out, "it exists already; choose another name, or replace it with --overwrite")
    try:
        read_metadata(out.absolute())
    except CheckpointError as error:
        raise refusal(out, "it is not one of our checkpoints, so it is not overwritten") from error
