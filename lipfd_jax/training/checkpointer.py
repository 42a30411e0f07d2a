"""Checkpoints of a run: model, optimizer, averaged parameters and metadata."""

import contextlib
import errno
import logging
import os
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import jax
from etils import epath
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from orbax.checkpoint import v1 as ocp

from lipfd_jax.checkpoints.folders import FOLDER, METRIC, is_readable, read_metadata
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.orbax_logging import report_one_error, silence_orbax_log
from lipfd_jax.checkpoints.store import verify_arrays, with_sums
from lipfd_jax.data.data_fingerprint import DataFingerprint
from lipfd_jax.storage.errors import find_os_error
from lipfd_jax.training import state as states
from lipfd_jax.training.compatibility import (
    describe_changed_records,
    has_same_structure,
    list_changed_settings,
    refuse_other_teacher,
)
from lipfd_jax.training.position import Position
from lipfd_jax.training.state import Recipe, TrainState
from lipfd_jax.vocabulary import WindowConvention

logger = logging.getLogger(__name__)

# Orbax has each device that holds a copy of an array write a part of it, cut out by a program compiled for
# every shape: worth it for large arrays only.
_PARTED = 1 << 20  # bytes of a part


class RunCheckpointer:
    """Checkpoints of a workdir: the latest few and the best by validation AUC.

    Saving is asynchronous and atomic: the folder of a step gets its name when it is complete.
    """

    def __init__(
        self,
        workdir: str | os.PathLike,
        recipe: Recipe,
        *,
        window_convention: WindowConvention,
        records: Mapping[str, DataFingerprint] = MappingProxyType({}),
        synthetic: bool = False,
        teacher: str = "",
    ):
        """Opens the folder of checkpoints; creates a missing one.

        Args:
          window_convention: of the training records.
          records: fingerprints of the records by use, "training" and "validation".
          synthetic: the training records show drawn people.
          teacher: fingerprint of the teacher's weights; "" without one.
        """
        self.recipe = recipe
        self.window_convention, self.synthetic, self.teacher = window_convention, synthetic, teacher
        self.records = {name: found.to_json() for name, found in records.items()}
        self.folder = epath.Path(workdir) / FOLDER
        self.start = Position()  # where this process began with its batch size
        self.folder.mkdir(parents=True, exist_ok=True)
        silence_orbax_log()
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

    def save(self, step: int, state: TrainState, metrics: Mapping[str, float] | None) -> None:
        """Starts saving; `metrics` may hold the validation AUC. The arrays may be donated afterwards.

        Raises:
          OSError: writing this checkpoint, or the one before, failed, on a full disk for instance. Finished
            checkpoints are unaffected.
        """
        parts = {"model": states.gather_weights(state), "optimizer": state.optimizer}
        if state.ema is not None:
            parts["ema"] = nnx.to_pure_dict(state.ema)
        metadata = with_sums(self._metadata(step, state, metrics), parts)
        context = ocp.Context()
        context.array.saving.min_slice_bytes_for_replica_parallel = _PARTED
        with self._writing(), context:
            self._checkpointer.save_checkpointables_async(
                step,
                parts,
                force=True,
                overwrite=step in self.steps(),
                metrics=dict(metrics) if metrics else None,
                custom_metadata=metadata.to_json(),
            )

    def _metadata(self, step: int, state: TrainState, metrics: Mapping[str, float] | None) -> Metadata:
        experiment = self.recipe.experiment
        return Metadata(
            model=self.recipe.config,
            window_convention=self.window_convention,
            step=step,
            samples=self.start.advance(step, experiment.batch_size).samples,
            processes=jax.process_count(),
            ema=state.ema is not None,
            origin=f"trained as {experiment.name}{', on drawn people' * self.synthetic}",
            synthetic=self.synthetic,
            experiment=experiment.to_dict(),
            metrics=dict(metrics or {}),
            records=self.records,
            teacher=self.teacher,
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Adds to a failure of the disk which checkpoint a restart resumes from."""
        with report_one_error():
            try:
                yield
            except Exception as error:
                if trouble := find_os_error(error, self.folder):
                    whole = _list_finished_steps(self.folder)
                    left = f"resumes from step {whole[-1]}" if whole else "starts anew: none is finished yet"
                    raise OSError(
                        trouble.errno,
                        f"{trouble.strerror}; a checkpoint could not be written, the same command {left}",
                        str(self.folder),
                    ) from error
                raise

    def steps(self) -> list[int]:
        """Returns the steps of the finished checkpoints, ascending."""
        return sorted(checkpoint.step for checkpoint in self._checkpointer.checkpoints)

    def restore(self, mesh: Mesh) -> tuple[TrainState, Position] | None:
        """Restores the newest readable checkpoint onto the mesh, with its position in the data.

        The state has no teacher: its weights are read from its own checkpoint.

        Returns None if there is none. A damaged one is logged and the one before it used. All arrays are read
        and compared with their checksums, a second for each gigabyte or two.

        Raises:
          ValueError: the checkpoint has other settings, records or teacher, or none can be read.
          OSError: the machine failed, rather than a checkpoint.
        """
        for step in reversed(self.steps()):
            path = self.folder / str(step)
            try:
                metadata = read_metadata(path)
                same = has_same_structure(metadata, self.recipe.experiment)
                state = self._restore(metadata, mesh) if same else None
            except Exception as error:  # whatever a damaged file makes the reading libraries raise
                _raise_machine_error(error, path)
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                logger.error("checkpoint %s is damaged (%s); trying the one before", path, reason)
                continue
            if state is None:
                raise ValueError(
                    f"{path}: saved with other settings of the model, of the trained parameters or of ema; "
                    f"use another workdir, or the settings in {self.folder.parent / 'config.json'}"
                )
            self._compare_records(metadata, path)
            refuse_other_teacher(metadata, self.teacher, path)
            changed = list_changed_settings(metadata.experiment, self.recipe.experiment.to_dict())
            if changed:
                logger.warning("resuming from step %d with changed settings: %s", step, ", ".join(changed))
            self.start = Position(metadata.step, metadata.samples)
            return state, self.start
        if self.steps():
            raise ValueError(f"{self.folder}: no checkpoint can be read; remove the folder to start anew")
        return None

    def __enter__(self) -> "RunCheckpointer":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        try:
            self.close()
        except OSError as failed:
            if error is None:
                raise
            if str(failed) != str(error):
                logger.error("%s", failed)  # the first failure is raised

    def close(self) -> None:
        """Waits for pending checkpoints; raises OSError as `save` does."""
        with self._writing():
            self._checkpointer.close()

    def _compare_records(self, metadata: Metadata, path: epath.Path) -> None:
        """Refuses records that differ from the checkpoint's, unless data.changed_records allows them."""
        changed = describe_changed_records(metadata, self.records)
        if changed and not self.recipe.experiment.data.changed_records:
            raise ValueError(
                f"{path}: {changed}. Put the old ones back, use another workdir, or set "
                "data.changed_records=True to resume with these"
            )
        if changed:
            logger.warning("resuming with changed records: %s", changed)

    def _restore(self, metadata: Metadata, mesh: Mesh) -> TrainState:
        abstract = states.make_abstract_state(self.recipe, mesh)
        wanted = {"model": states.gather_weights(abstract), "optimizer": abstract.optimizer}
        if abstract.ema is not None:
            wanted["ema"] = nnx.to_pure_dict(abstract.ema)
        loaded = self._checkpointer.load_checkpointables(metadata.step, wanted)
        verify_arrays(self.folder / str(metadata.step), metadata, loaded)
        return _fill_state(abstract, loaded, metadata.step)


def _raise_machine_error(error: Exception, path: epath.Path) -> None:
    """Raises failures of the machine (disk, memory); returns for damage, which includes missing files."""
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        raise error
    trouble = find_os_error(error, path)
    if trouble and trouble.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        raise trouble from error


def _list_finished_steps(folder: epath.Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def _set_aside_damaged(folder: epath.Path) -> None:
    """Moves checkpoints with damaged metadata, on which Orbax fails, into damaged/ in the workdir."""
    if jax.process_index() == 0:
        for path in folder.iterdir():
            if path.name.isdigit() and not is_readable(path):
                aside = folder.parent / "damaged" / f"{path.name}-{time.time_ns()}"
                aside.parent.mkdir(exist_ok=True)
                path.rename(aside)
                logger.error("checkpoint %s is damaged; moved to %s", path, aside)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("damaged checkpoints are set aside")


def _fill_state(abstract: TrainState, loaded: Mapping[str, Any], step: int) -> TrainState:
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
