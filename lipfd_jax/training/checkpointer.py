"""Saves and restores a run: model, optimizer, averaged parameters and the position in the data."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import jax
from etils import epath
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from orbax.checkpoint import v1 as ocp

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import FOLDER, METRIC, read_metadata, readable, verify, with_sums
from lipfd_jax.training import state as states
from lipfd_jax.training.state import Recipe, TrainState

logger = logging.getLogger(__name__)


class RunCheckpointer:
    """The checkpoints of one workdir: the latest few and the best by validation AUC.

    Saving is asynchronous and atomic: a step's folder appears under its name only when it is whole.
    """

    def __init__(self, workdir: str | os.PathLike, recipe: Recipe, *, windows: str):
        self.recipe = recipe
        self.windows = windows  # mode of the training records
        self.folder = epath.Path(workdir) / FOLDER
        self._began = (0, 0)  # step and samples at which this process began with its batch size
        self.folder.mkdir(parents=True, exist_ok=True)
        _set_aside_damaged(self.folder)
        best = ocp.training.preservation_policies.BestN(
            get_metric_fn=lambda metrics: metrics[METRIC], n=1, keep_checkpoints_without_metrics=False
        )
        latest = ocp.training.preservation_policies.LatestN(recipe.experiment.keep)
        self._checkpointer = ocp.training.Checkpointer(
            self.folder,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),  # we decide
            preservation_policy=ocp.training.preservation_policies.AnyPreservationPolicy([latest, best]),
            cleanup_tmp_directories=True,
        )

    def save(self, step: int, state: TrainState, data: Any, metrics: Mapping[str, float] | None) -> None:
        """Starts saving; `metrics` may hold the validation AUC. The arrays may be donated afterwards."""
        experiment = self.recipe.experiment
        metadata = Metadata(
            model=self.recipe.config,
            windows=self.windows,
            step=step,
            samples=self._began[1] + (step - self._began[0]) * experiment.batch_size,
            processes=jax.process_count(),
            ema=state.ema is not None,
            origin=f"trained as {experiment.name}",
            experiment=experiment.to_dict(),
            metrics=dict(metrics or {}),
        )
        parts = {"model": states.weights(state), "optimizer": state.optimizer}
        if state.ema is not None:
            parts["ema"] = nnx.to_pure_dict(state.ema)
        metadata = with_sums(metadata, parts)
        self._checkpointer.save_checkpointables_async(
            step,
            {**parts, "data": data},
            force=True,
            overwrite=step in self.steps(),
            metrics=dict(metrics) if metrics else None,
            custom_metadata=metadata.to_json(),
        )

    def steps(self) -> list[int]:
        """Steps of the finished checkpoints, rising."""
        return sorted(checkpoint.step for checkpoint in self._checkpointer.checkpoints)

    def restore(self, mesh: Mesh, data: Any) -> TrainState | None:
        """Restores the newest readable checkpoint onto the mesh and puts the data iterator in its place.

        Returns None where there is none; a damaged one is named in the log and the one before it used.
        """
        for step in reversed(self.steps()):
            path = self.folder / str(step)
            try:
                metadata = read_metadata(path)
                same = self._same_structure(metadata)
                state = self._restore(metadata, mesh, data) if same else None
            except Exception as error:  # whatever a damaged file makes the reading libraries raise
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                logger.error("checkpoint %s is damaged (%s); trying the one before", path, reason)
                continue
            if state is None:
                raise ValueError(
                    f"{path}: made with other settings of the model, of what is trained or of its average; "
                    f"use another workdir, or the settings in {self.folder.parent / 'config.json'}"
                )
            changed = _changes(metadata.experiment, self.recipe.experiment.to_dict())
            self._began = (metadata.step, metadata.samples)
            if changed:
                logger.warning("going on from step %d with changed settings: %s", step, ", ".join(changed))
            return state
        if self.steps():
            raise ValueError(f"{self.folder}: no checkpoint can be read; remove the folder to start afresh")
        return None

    def close(self) -> None:
        """Waits for what is being saved."""
        self._checkpointer.close()

    def _same_structure(self, metadata: Metadata) -> bool:
        """Says whether a checkpoint's arrays are those of this run."""
        here, there = self.recipe.experiment.optimizer, metadata.experiment["optimizer"]
        return (
            metadata.model == self.recipe.config
            and metadata.ema == bool(here.ema)
            and there["trained_blocks"] == here.trained_blocks
        )

    def _restore(self, metadata: Metadata, mesh: Mesh, data: Any) -> TrainState:
        abstract = states.abstract_state(self.recipe, mesh)
        wanted = {"model": states.weights(abstract), "optimizer": abstract.optimizer}
        if abstract.ema is not None:
            wanted["ema"] = nnx.to_pure_dict(abstract.ema)
        batch_size = self.recipe.experiment.batch_size
        written = (metadata.processes, metadata.experiment["batch_size"])
        same_readers = written == (jax.process_count(), batch_size)
        if same_readers:
            wanted["data"] = data
        loaded = self._checkpointer.load_checkpointables(metadata.step, wanted)
        arrays = {name: part for name, part in loaded.items() if name != "data"}
        verify(self.folder / str(metadata.step), metadata, arrays)
        if not same_readers:  # every process takes its part of the same global order from there on
            data.set_state({"next_index": metadata.samples // batch_size})
        return _filled(abstract, loaded, metadata.step)


def _set_aside_damaged(folder: epath.Path) -> None:
    """Moves checkpoints that Orbax would stumble over out of its way, into damaged/ beside them."""
    if jax.process_index() == 0:
        for path in folder.iterdir():
            if path.name.isdigit() and not readable(path):
                aside = folder.parent / "damaged" / f"{path.name}-{time.time_ns()}"
                aside.parent.mkdir(exist_ok=True)
                path.rename(aside)
                logger.error("checkpoint %s is damaged; moved to %s", path, aside)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("damaged checkpoints are set aside")


def _filled(abstract: TrainState, loaded: Mapping[str, Any], step: int) -> TrainState:
    flat = dict(nnx.traversals.flatten_mapping(loaded["model"]))

    def part(tree: Any, values: Mapping[tuple, Any]) -> Any:
        return nnx.from_flat_state([(p, v.replace(values[p])) for p, v in nnx.to_flat_state(tree)])

    ema = None
    if abstract.ema is not None:
        ema = part(abstract.ema, dict(nnx.traversals.flatten_mapping(loaded["ema"])))
    return TrainState(
        step=jax.device_put(jax.numpy.int32(step), abstract.step.sharding),
        trainable=part(abstract.trainable, flat),
        frozen=part(abstract.frozen, flat),
        statistics=part(abstract.statistics, flat),
        optimizer=loaded["optimizer"],
        ema=ema,
    )


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names the settings that differ, with both values."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _changes(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} {old} -> {new}")
    return found
