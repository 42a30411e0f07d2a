"""Training loop: trains an experiment in a workdir, from its start or from its last checkpoint."""

import contextlib
import dataclasses
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import cast

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.data.pairs import KINDS
from lipfd_jax.kernels.dispatch import kernels_for
from lipfd_jax.models.inputs import convention_warning
from lipfd_jax.runtime.compilation import compilation_message
from lipfd_jax.runtime.distributed import is_true_anywhere, run_on_first
from lipfd_jax.runtime.mesh import connect_processes, make_mesh, put_on_devices
from lipfd_jax.storage.files import write_json
from lipfd_jax.storage.locks import lock_folder
from lipfd_jax.storage.unavailable import StorageUnavailable
from lipfd_jax.training import metrics_log
from lipfd_jax.training.checkpointer import RunCheckpointer
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.initial_state import make_initial_state
from lipfd_jax.training.kind_losses import KindLosses
from lipfd_jax.training.metrics_log import MetricsLog
from lipfd_jax.training.position import Position
from lipfd_jax.training.progress import Progress
from lipfd_jax.training.state import Recipe, TrainState, make_recipe
from lipfd_jax.training.step import jit_step
from lipfd_jax.training.teacher import open_teacher
from lipfd_jax.training.trace import Trace
from lipfd_jax.training.training_data import RunData, open_data
from lipfd_jax.training.validation import merge_values, rank_checkpoint, validate

_SHOWN = 20  # corrupt records in the log; the list in the workdir has all
logger = logging.getLogger(__name__)


class Diverged(RuntimeError):
    """Raised for a loss that is NaN or infinite; the message names the last good checkpoint and the batch."""


@dataclasses.dataclass(frozen=True)
class RunResult:
    """End of a run."""

    step: int
    finished: bool  # False: stopped before the last step; run it again to resume
    last: dict[str, float]  # measurements of the last step
    validation: dict[str, float]  # metrics of the last evaluation


def train(
    experiment: Experiment,
    workdir: str | os.PathLike,
    *,
    stop: Callable[[int], bool] = lambda step: False,
    profile_steps: int = 0,
    kernels: str = "auto",
) -> RunResult:
    """Trains until the last step or until `stop(step)` returns true; resumes from the workdir's checkpoints.

    Writes checkpoints, metrics.jsonl, curves.png, config.json and, if there are any, the list
    corrupt_records.json into the workdir (local or gs://...), which is locked meanwhile.

    Args:
      stop: called before the first and after every step on every process; returns the same on all.
      profile_steps: trace this many steps into WORKDIR/profile, after the first ones.
      kernels: a setting of kernels.dispatch.

    Raises:
      Diverged: the loss became NaN or infinite.
      CorruptRecord: a record can't be read and may not be skipped, or too many were; a checkpoint is saved
        first.
      InUseError: another run writes the workdir.
      ValueError: the data or the checkpoints don't fit the experiment.
      OSError: the disk is full or broken; finished checkpoints are unaffected and the same call resumes.
    """
    workdir = os.fspath(workdir)
    workdir = workdir if "://" in workdir else os.path.abspath(workdir)
    mesh = make_mesh(experiment.fsdp)
    connect_processes(mesh)
    data = open_data(experiment.data)
    chosen = kernels_for(mesh.devices.flat, kernels, experiment.model.dtype)
    teacher = open_teacher(experiment, mesh, kernels=chosen, windows=data.window_convention)
    recipe = make_recipe(experiment, chosen, teacher and teacher.graph)
    with contextlib.ExitStack() as held:
        run_on_first(lambda: held.enter_context(lock_folder(workdir, "a training run")))
        data.read_corrupt_list(workdir)
        saved = RunCheckpointer(
            workdir,
            recipe,
            window_convention=data.window_convention,
            records=data.fingerprints,
            synthetic=data.synthetic,
            teacher=teacher.fingerprint if teacher else "",
        )
        checkpointer = held.enter_context(saved)
        state, position = checkpointer.restore(mesh) or (make_initial_state(recipe, mesh), Position())
        if teacher:
            state = dataclasses.replace(state, teacher=teacher.state)
        batches = iter(data.make_batches(experiment, teacher.composite_side if teacher else 0))
        position.seek(batches, experiment.batch_size)
        run = _Run(recipe, mesh, workdir, checkpointer, position.step, data, kernels)
        return run.run(state, batches, stop=stop, profile_steps=profile_steps)


class _Run:
    """Training loop and its state between steps, arrays excepted."""

    def __init__(
        self,
        recipe: Recipe,
        mesh: Mesh,
        workdir: str,
        checkpointer: RunCheckpointer,
        step: int,
        data: RunData,
        kernels: str,
    ):
        self.recipe, self.mesh, self.workdir, self.kernels = recipe, mesh, workdir, kernels
        self.experiment = recipe.experiment
        self.checkpointer = checkpointer
        self.step = step
        self.data = data
        self.first = jax.process_index() == 0
        self.log = MetricsLog(workdir, step=step, writes=self.first)
        self.pending: list[tuple[int, dict[str, jax.Array], list[str]]] = []
        self.last: dict[str, float] = {}
        self.kinds = KindLosses()
        self.validation: dict[str, float] = {}
        self.problem: CorruptRecord | StorageUnavailable | None = None  # ends the run, after a checkpoint
        self.progress = Progress(self.experiment.batch_size, step, self.experiment.steps)
        self._log_start()

    def _log_start(self) -> None:
        """Logs model, data and devices, and writes the settings."""
        config, convention = self.recipe.config, self.data.window_convention
        logger.info(
            "%s: %d training records (%s windows), %s inputs, %d device(s), step %d of %d, in %s",
            self.experiment.name, self.data.count_training_records(), convention, config.inputs.name,
            self.mesh.size, self.step, self.experiment.steps, self.workdir,
        )  # fmt: skip
        if warning := convention_warning(config.inputs, convention):
            logger.warning("%s", warning)
        if self.first:
            write_json(epath.Path(self.workdir) / "config.json", self.experiment.to_dict())

    def run(self, state: TrainState, data: Iterator, *, stop: Callable, profile_steps: int) -> RunResult:
        """Trains from a state on; arguments as of `train`."""
        kernels = kernels_for(self.mesh.devices.flat, self.kernels, self.recipe.config.dtype)
        step_function = jit_step(self.recipe, kernels, state)
        trace = Trace(os.path.join(self.workdir, "profile"), self.step, profile_steps if self.first else 0)
        stopped, compiled = stop(self.step) or self.step >= self.experiment.steps, False
        batch, names = (None, []) if stopped else self._next_batch(data)
        while not (stopped or self.problem):
            trace.before(self.step)
            with (
                jax.transfer_guard("disallow"),
                contextlib.nullcontext() if compiled else self._log_compilation(),
            ):
                state, measured = step_function(state, cast(dict[str, jax.Array], batch))
            self.step, compiled = self.step + 1, True
            self.pending.append((self.step, measured, names))
            trace.after(self.step, measured)
            stopped = stop(self.step) or self.step >= self.experiment.steps
            if not stopped:  # while the devices work
                batch, names = self._next_batch(data)
            metrics = self._report(state, saving=stopped or self._is_save_due())
            if stopped or self._is_save_due():
                self.checkpointer.save(self.step, state, metrics)
                self.data.write_corrupt_list(self.workdir)
                self.progress.restart(self.step)
        trace.close()
        self.log.close()
        self._log_skipped()
        if self.problem:
            raise self.problem
        return RunResult(self.step, self.step >= self.experiment.steps, self.last, self.validation)

    def _is_save_due(self) -> bool:
        return self.problem is not None or self._is_due(self.experiment.checkpoint_every)

    @contextlib.contextmanager
    def _log_compilation(self) -> Iterator[None]:
        """Logs the compilation of the first step and its time."""
        config, devices = (
            self.recipe.config,
            f"{self.mesh.size} {self.mesh.devices.flat[0].platform} device(s)",
        )
        batches = f"batches of {self.experiment.batch_size}"
        what = f"the training step ({config.encoder} + {config.backbone}, {batches}) for {devices}"
        logger.info("%s", compilation_message(what))
        started = time.perf_counter()
        yield
        logger.info("compiled in %.0f s; training starts", time.perf_counter() - started)
        self.progress.restart(self.step)

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _next_batch(self, data: Iterator) -> tuple[dict[str, jax.Array] | None, list[str]]:
        """Returns the next batch on the devices and its names; None after a corrupt record, see `problem`."""
        started, batch = time.perf_counter(), None
        try:
            batch = next(data)
        except (CorruptRecord, StorageUnavailable) as error:
            self.problem = error
        self.progress.add_waiting(time.perf_counter() - started)
        if is_true_anywhere(batch is None):
            elsewhere = "another process could not read a record; its log names it"
            self.problem = self.problem or CorruptRecord(elsewhere)
            return None, []
        assert batch is not None  # read here too, as on all processes
        names = [f"{v}_{w}" for v, w in zip(batch["video"], batch["window"], strict=True)]
        arrays = {name: batch[name] for name in ("composite", "frames") if name in batch}
        arrays["label"] = batch["label"].astype(np.int32)
        if "kind" in batch:
            arrays["kind"] = np.array([KINDS.index(kind) for kind in batch["kind"].tolist()], np.int32)
        return put_on_devices(arrays, self.mesh), names

    def _report(self, state: TrainState, *, saving: bool) -> dict[str, float] | None:
        """Logs and validates where due; returns the metric that ranks checkpoints, if it was computed."""
        logging_now, evaluating = self._is_due(self.experiment.log_every), self._is_validation_due()
        line: dict[str, float] = {}
        if logging_now or evaluating or saving:  # a diverged state is neither validated nor saved
            self._check_pending()
        if logging_now:
            rates = self.progress.measure_rates(self.step)
            line = {**self.last, **self.kinds.read(), **rates}
            if self.first:
                logger.info("%s", self.progress.format_line(self.step, self.last, rates))
        elif self.first and jax.process_count() == 1 and self.progress.is_silent():
            self._check_pending()
            logger.info("%s", self.progress.format_short_line(self.step))
        if evaluating:
            self.validation = self._validate(state)
            line |= {f"validation_{name}": value for name, value in self.validation.items()}
            self.progress.restart(self.step)
        if line:
            self.log.write(self.step, **line)
        if evaluating and self.first:
            metrics_log.draw_curves(self.workdir)
        return rank_checkpoint(self.validation) if evaluating else None

    def _validate(self, state: TrainState) -> dict[str, float]:
        """Returns the metrics of the validation splits; none after a corrupt record that ends the run."""
        try:
            found = validate(self.recipe, state, self.data, mesh=self.mesh, kernels=self.kernels)
        except CorruptRecord as error:
            if jax.process_count() > 1:  # the other processes still predict and can't join a checkpoint
                raise
            self.problem = error
            return {}
        if self.first:
            for one in found:
                shown = "  ".join(f"{name} {value:.4f}" for name, value in one.values.items())
                logger.info(
                    "step %d: %s (%d windows)  %s", self.step, one.name, one.windows, shown or one.missing
                )
        return merge_values(found)

    def _is_validation_due(self) -> bool:
        wanted = self._is_due(self.experiment.evaluate_every) or self.step >= self.experiment.steps
        return wanted and bool(self.data.validation_names)

    def _check_pending(self) -> None:
        """Waits for the steps since the last call; raises Diverged if one is not finite."""
        for step, measured, names in self.pending:
            values = {name: float(value) for name, value in jax.device_get(measured).items()}
            if not math.isfinite(values["loss"] + values["gradient_norm"]):
                raise Diverged(self._describe_divergence(step, values, names))
            self.last = self.kinds.add(values)
        self.pending.clear()

    def _describe_divergence(self, step: int, values: dict[str, float], names: list[str]) -> str:
        good = [s for s in self.checkpointer.steps() if s < step]
        where = (
            f"the last good checkpoint is {self.checkpointer.folder / str(good[-1])}"
            if good
            else ("there is no checkpoint yet")
        )
        return (
            f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}; {where}; "
            f"the batch held {', '.join(names)}. A lower learning rate or clip_norm usually helps"
        )

    def _log_skipped(self) -> None:
        """Logs the corrupt records that were skipped."""
        path = self.data.write_corrupt_list(self.workdir)
        for use, corrupt in self.data.corrupt.items():
            if messages := list(corrupt.messages().values()):
                shown = "".join(f"\n  {message}" for message in messages[:_SHOWN])
                logger.warning("%d corrupt %s records were skipped; %s lists them:%s",
                               len(messages), use, path, shown)  # fmt: skip
