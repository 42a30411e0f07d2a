"""Teacher of a run: a frozen model whose logits are learned beside the labels (knowledge distillation)."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.faces.face_clips import CLIP_SIDE
from lipfd_jax.inference.precision import make_program_config
from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.kernels.dispatch import Kernels
from lipfd_jax.models.inputs import convention_warning, prepare_batch
from lipfd_jax.models.lipfd import ModelConfig, abstract_model
from lipfd_jax.runtime.mesh import replicated_sharding, state_sharding
from lipfd_jax.training.config import Experiment

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A teacher's structure and weights, on the mesh."""

    graph: Any  # of its model (nnx.split)
    state: Any  # parameters and statistics, sharded as those of the run
    config: ModelConfig
    fingerprint: str  # of its weights, stored in the run's checkpoints

    @property
    def composite_side(self) -> int:
        """Largest side of faces in the composites that it needs, in pixels; 0 where frames are enough."""
        return min(self.config.inputs.face_side, CLIP_SIDE) if self.config.inputs.needs_composite else 0


def open_teacher(
    experiment: Experiment, mesh: Mesh, *, kernels: Kernels | None, windows: str
) -> Teacher | None:
    """Opens the teacher that an experiment names; None where it names none.

    It computes in the precision of the model that is trained. Its weights are read whole on each device and
    then sharded.

    Args:
      windows: convention of the training windows; a teacher of another one is warned of.

    Raises:
      ValueError: there is no checkpoint, or it is damaged; the message names the setting.
    """
    if not experiment.teacher:
        return None
    try:
        opened = open_model(experiment.teacher, sharding=replicated_sharding(mesh))
    except CheckpointError as error:
        raise CheckpointError(f"teacher={experiment.teacher}: {error}") from error
    config = dataclasses.replace(opened.metadata.model, dtype=experiment.model.dtype)
    config = config if kernels is None else make_program_config(config, kernels)
    graph, _ = nnx.split(abstract_model(config))
    state = nnx.state(opened.model)
    logger.info(
        "teacher: %s + %s from %s (weights %s)",
        config.encoder, config.backbone, opened.path, opened.fingerprint,
    )  # fmt: skip
    if warning := convention_warning(config.inputs, windows):
        logger.warning("teacher: %s", warning)
    placed = jax.device_put(state, state_sharding(state, mesh))
    return Teacher(graph, placed, config, opened.fingerprint)


def compute_teacher_logits(graph: Any, state: Any, batch: Mapping[str, jax.Array], dtype: str) -> jax.Array:
    """Logits (B,) float32 of the teacher in inference mode for a batch of the training step. Runs in jit.

    Args:
      graph: of the teacher.
      state: of the teacher.
      batch: with `composite`, or with `frames` where those are enough for the teacher.
      dtype: of its inputs.
    """
    model = nnx.merge(graph, state, copy=True)

    def score_part(part: Mapping[str, jax.Array]) -> jax.Array:
        return model(*prepare_batch(part, model.config.inputs, dtype=jnp.dtype(dtype))).logits

    windows = {name: batch[name] for name in ("composite", "frames") if name in batch}
    return map_chunks(score_part, windows, "windows")
