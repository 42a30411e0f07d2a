"""Trains one experiment in a workdir, from its start or from where it stopped."""

import dataclasses
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from lipfd_jax.data import pipeline
from lipfd_jax.data.sources import RecordSource, open_source, windows_mode
from lipfd_jax.evaluation.metrics import window_metrics
from lipfd_jax.evaluation.predict import Chosen, collect, predict
from lipfd_jax.kernels.choice import kernels_for
from lipfd_jax.mesh import connect, make_mesh, to_devices
from lipfd_jax.models.inputs import mismatch
from lipfd_jax.training import journal
from lipfd_jax.training.checkpointer import RunCheckpointer
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.initial_state import start_state
from lipfd_jax.training.journal import Journal
from lipfd_jax.training.progress import Progress
from lipfd_jax.training.state import Recipe, TrainState, make_recipe
from lipfd_jax.training.step import make_step

logger = logging.getLogger(__name__)


class Diverged(RuntimeError):
    """The loss stopped being a number; the message names the last good checkpoint and the batch."""


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    step: int
    finished: bool  # False: asked to stop before the last step; run it again to go on
    last: dict[str, float]  # measurements of the last step
    validation: dict[str, float]  # of the last evaluation


def train(
    experiment: Experiment,
    workdir: str | os.PathLike,
    *,
    stop: Callable[[int], bool] = lambda step: False,
    profile_steps: int = 0,
    kernels: str = "auto",
) -> RunResult:
    """Trains until the last step, or until `stop(step)` says so; continues what the workdir holds.

    Writes checkpoints, metrics.jsonl, curves.png and config.json into the workdir (local or gs://...).

    Args:
      stop: asked after every step on every process, with the same answer on all.
      profile_steps: trace this many steps into WORKDIR/profile, after the first ones.
      kernels: a setting of kernels.choice.

    Raises:
      Diverged: the loss became NaN or infinite.
    """
    workdir = os.fspath(workdir)
    workdir = workdir if "://" in workdir else os.path.abspath(workdir)
    mesh = make_mesh(experiment.fsdp)
    connect(mesh)
    recipe = make_recipe(experiment)
    source = _source(experiment, experiment.data.train_split)
    windows = windows_mode(source)
    data = iter(_batches(experiment, source))
    checkpointer = RunCheckpointer(workdir, recipe, windows=windows)
    try:
        state = checkpointer.restore(mesh, data)
        if state is None:
            state = start_state(recipe, mesh)
        run = _Run(recipe, mesh, workdir, checkpointer, int(state.step), kernels)
        logger.info(
            "%s: %d training records (%s windows), %s inputs, %d device(s), step %d of %d, in %s",
            experiment.name, len(source), windows, recipe.config.inputs.name,
            mesh.size, run.step, experiment.steps, workdir,
        )  # fmt: skip
        if warning := mismatch(recipe.config.inputs, windows):
            logger.warning("%s", warning)
        return run.go(state, data, stop=stop, profile_steps=profile_steps)
    finally:
        checkpointer.close()


class _Run:
    """The loop and what it keeps between steps."""

    def __init__(
        self,
        recipe: Recipe,
        mesh: Mesh,
        workdir: str,
        checkpointer: RunCheckpointer,
        step: int,
        kernels: str,
    ):
        self.recipe, self.mesh, self.workdir, self.kernels = recipe, mesh, workdir, kernels
        self.experiment = recipe.experiment
        self.checkpointer = checkpointer
        self.step = step
        self.first = jax.process_index() == 0
        self.journal = Journal(workdir, step=step, writes=self.first)
        self.validation_source = (
            _source(self.experiment, self.experiment.data.validation_split)
            if self.experiment.data.validation_split
            else None
        )
        if 0 < self.experiment.data.validation_samples < len(self.validation_source or ()):
            spread = np.linspace(0, len(self.validation_source) - 1, self.experiment.data.validation_samples)
            self.validation_source = Chosen(self.validation_source, spread.astype(int))
        self.pending: list[tuple[int, dict[str, jax.Array], list[str]]] = []
        self.last: dict[str, float] = {}
        self.validation: dict[str, float] = {}
        self.progress = Progress(self.experiment.batch_size, step, self.experiment.steps)

    def go(self, state: TrainState, data: Iterator, *, stop: Callable, profile_steps: int) -> RunResult:
        if self.first:
            _write_config(self.workdir, self.experiment)
        kernels = kernels_for(self.mesh.devices.flat, self.kernels)
        step_function = jax.jit(make_step(self.recipe, kernels), donate_argnums=0)
        stopped = self.step >= self.experiment.steps
        batch, names = (None, []) if stopped else self._next(data)
        traced_from = self.step + 3
        while not stopped:
            if profile_steps and self.step == traced_from and self.first:
                jax.profiler.start_trace(os.path.join(self.workdir, "profile"))
            with jax.transfer_guard("disallow"):
                state, measured = step_function(state, batch)
            self.step += 1
            self.pending.append((self.step, measured, names))
            if profile_steps and self.step == traced_from + profile_steps and self.first:
                jax.block_until_ready(measured)
                jax.profiler.stop_trace()
            stopped = stop(self.step) or self.step >= self.experiment.steps
            saving = stopped or self._due(self.experiment.checkpoint_every)
            if not saving:  # a checkpoint holds the position after this step, so read ahead only after it
                batch, names = self._next(data)
            metrics = self._report(state, saving=saving)
            if saving:
                self.checkpointer.save(self.step, state, data, metrics)
                self.progress.skip_time(self.step)
                if not stopped:
                    batch, names = self._next(data)
        if profile_steps and self.first and traced_from < self.step < traced_from + profile_steps:
            jax.profiler.stop_trace()  # fewer steps were left than were asked for
        self.journal.close()
        return RunResult(self.step, self.step >= self.experiment.steps, self.last, self.validation)

    def _due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _next(self, data: Iterator) -> tuple[dict[str, jax.Array], list[str]]:
        started = time.perf_counter()
        batch = next(data)
        self.progress.waited(time.perf_counter() - started)
        names = [f"{v}_{w}" for v, w in zip(batch["video"], batch["window"], strict=True)]
        arrays = {"composite": batch["composite"], "label": batch["label"].astype(np.int32)}
        return to_devices(arrays, self.mesh), names

    def _report(self, state: TrainState, *, saving: bool) -> dict[str, float] | None:
        """Logs and evaluates where due; returns the metrics a checkpoint is ranked by, if any."""
        logging_now, evaluating = self._due(self.experiment.log_every), self._evaluating()
        line: dict[str, float] = {}
        if logging_now or evaluating or saving:  # never evaluate or save what is not a number
            self._settle()
        if logging_now:
            rates = self.progress.rates(self.step)
            line = {**self.last, **rates}
            if self.first:
                logger.info("%s", self.progress.line(self.step, self.last, rates))
        if evaluating:
            self.validation = self._evaluate(state)
            line |= {f"validation_{name}": value for name, value in self.validation.items()}
            self.progress.skip_time(self.step)
        if line:
            self.journal.write(self.step, **line)
        if evaluating and self.first:
            journal.draw(self.workdir)
        return {"auc": self.validation["auc"]} if evaluating and "auc" in self.validation else None

    def _evaluating(self) -> bool:
        wanted = self._due(self.experiment.evaluate_every) or self.step >= self.experiment.steps
        return wanted and self.validation_source is not None

    def _settle(self) -> None:
        """Waits for the steps since the last time and checks each."""
        for step, measured, names in self.pending:
            values = {name: float(value) for name, value in jax.device_get(measured).items()}
            if not math.isfinite(values["loss"] + values["gradient_norm"]):
                raise Diverged(self._divergence(step, values, names))
            self.last = values
        self.pending.clear()

    def _divergence(self, step: int, values: dict[str, float], names: list[str]) -> str:
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

    def _evaluate(self, state: TrainState) -> dict[str, float]:
        """Scores the validation split with the parameters that will be used, averaged ones if there are."""
        trainable = state.trainable if state.ema is None else state.ema
        predictions = predict(
            self.recipe.graph,
            (trainable, state.frozen, state.statistics),
            self.validation_source,
            mesh=self.mesh,
            batch_size=self.experiment.batch_size,
            threads=self.experiment.data.threads,
            kernels=self.kernels,
        )
        found = window_metrics(collect(predictions))
        values = {"auc": found.auc, "ap": found.ap, "eer": found.eer, "threshold": found.eer_threshold}
        values = {name: float(value) for name, value in values.items() if value is not None}
        if self.first:
            shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
            logger.info("step %d: validation (%d windows)  %s", self.step, found.n, shown or found.missing)
        return values


def _source(experiment: Experiment, split: str) -> RecordSource:
    return open_source(
        experiment.data.path, split=split, builder_config=experiment.data.builder_config or None
    )


def _batches(experiment: Experiment, source: RecordSource) -> Any:
    return pipeline.training_batches(
        source,
        batch_size=experiment.batch_size,
        seed=experiment.seed,
        balance=experiment.data.balance,
        augmentation=experiment.data.augmentation,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=experiment.data.threads,
    )


def _write_config(workdir: str, experiment: Experiment) -> None:
    path = epath.Path(workdir) / "config.json"
    path.write_text(json.dumps(experiment.to_dict(), indent=2) + "\n")
