"""Runs of the recipe: trained and scored in processes of their own, each on its share of the cores."""

import dataclasses
import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax import nnx

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.data.clip_index import ClipEntry, read_clip_index
from lipfd_jax.data.clip_window_records import ClipWindowRecords
from lipfd_jax.data.sources import RecordReader, open_source
from lipfd_jax.evaluation.metrics.scores import ScoresWriter
from lipfd_jax.evaluation.predict import predict_records
from lipfd_jax.inference.detector import CompositeDetector
from lipfd_jax.runtime import compilation, memory
from lipfd_jax.storage.files import write_text
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.loop import train

SCORES = "scores.csv"
_UNFINISHED = "scores.part.csv"


@dataclasses.dataclass(frozen=True)
class WeightsRun:
    """One training of the recipe, and the clips that it is scored on."""

    workdir: Path
    experiment: Experiment
    sets: tuple[Path, ...]  # data_dirs of the clip records, those of the experiment
    scored: frozenset[str]  # sources that are scored: those that were not trained on; none for a final run
    checkpoint: Path | None = None  # scored instead of training

    @property
    def training(self) -> Path:
        """The workdir of the training."""
        return self.workdir / "training"


def open_clip_set(data_dir: Path) -> tuple[RecordReader, list[ClipEntry]]:
    """Opens the clip records of a data_dir and their index."""
    source = open_source(str(data_dir), split="train", builder_config="clips", kind="clips")
    return source, read_clip_index(source)


def make_experiment(recipe: Experiment, sets: Sequence[Path], *, seed: int, left_out: str = "") -> Experiment:
    """Returns the recipe on these sets, without the sources that the file `left_out` names."""
    more = tuple({"path": str(path), "builder_config": "clips"} for path in sets[1:])
    data = dataclasses.replace(
        recipe.data, path=str(sets[0]), builder_config="clips", more_sets=more, left_out=left_out
    )
    return dataclasses.replace(recipe, seed=seed, data=data)


def train_all(runs: Sequence[WeightsRun], jobs: int, cache: Path) -> None:
    """Trains and scores the runs that are not finished, `jobs` of them at once. Resumes each.

    Compiled programs are kept in the folder `cache`.

    Raises what the first run to fail raises.
    """
    todo = [run for run in runs if not is_finished(run)]
    context = multiprocessing.get_context("spawn")
    counter = context.Value("i", 0)
    with ProcessPoolExecutor(jobs, context, _take_cores, (counter, jobs, str(cache))) as pool:
        for future in [pool.submit(train_and_score, run) for run in todo]:
            future.result()


def is_finished(run: WeightsRun) -> bool:
    """Whether a run is trained, and scored if it is to be."""
    return (run.workdir / SCORES).exists()


def train_and_score(run: WeightsRun) -> None:
    """Trains a run to its end and scores its clips into scores.csv, resuming both."""
    if run.checkpoint is None:
        train(run.experiment, run.training)
    _score_run(run, run.checkpoint or run.training)


def _score_run(run: WeightsRun, checkpoint: Path) -> None:
    """Scores the clips of a run with a checkpoint into scores.csv in the run's folder."""
    unfinished = run.workdir / _UNFINISHED
    unfinished.unlink(missing_ok=True)  # minutes; a row that was cut off would cost more thought
    writer = ScoresWriter(unfinished)
    detector = CompositeDetector.open(checkpoint)
    for path in run.sets:
        source, entries = open_clip_set(path)
        scored = [entry for entry in entries if entry.source in run.scored]
        windows = ClipWindowRecords(source, scored, side=detector.metadata.model.inputs.face_side)
        for batch in predict_records(detector.submit, windows, batch_size=detector.batch_size):
            writer.append(batch.rows)
    writer.close()
    unfinished.replace(run.workdir / SCORES)


def average_checkpoints(places: Sequence[Path], output: Path) -> None:
    """Writes a checkpoint whose weights are the mean of those of several runs from one start.

    As in model soups (arXiv 2203.05482): fine-tunings of the same pretrained weights by other seeds.
    """
    if output.exists():
        return
    loaded = [open_model(place) for place in places]
    states = [nnx.to_pure_dict(nnx.state(one.model)) for one in loaded]
    mean = _average(states)
    first = loaded[0].metadata
    origin = f"mean of {len(places)} runs of {first.experiment.get('name', 'a recipe')}"
    metadata = Metadata(first.model, first.window_convention, origin=origin, synthetic=first.synthetic)
    experiment = _leave_out_places(first.experiment)
    save_model(output, mean, dataclasses.replace(metadata, experiment=experiment, step=first.step))


def _leave_out_places(experiment: dict[str, Any]) -> dict[str, Any]:
    """Returns an experiment's settings without the paths of one machine."""
    data = {**experiment["data"], "path": "", "more_sets": [], "left_out": ""}
    return {**experiment, "data": data}


def _average(trees: Sequence[Any]) -> Any:
    if isinstance(trees[0], dict):
        return {name: _average([tree[name] for tree in trees]) for name in trees[0]}
    return jnp.mean(jnp.stack([jnp.asarray(tree, jnp.float32) for tree in trees]), axis=0)


def _take_cores(counter: Any, jobs: int, cache: str) -> None:
    """Gives this process its share of the cores, before JAX counts them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with counter.get_lock():
        number, counter.value = counter.value, counter.value + 1
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        share = cores[number % jobs :: jobs]
        os.sched_setaffinity(0, share or cores)
    memory.keep_freed_memory()
    compilation.use_compilation_cache(cache)


def write_names(path: Path, names: Sequence[str]) -> None:
    """Writes names, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{name}\n" for name in sorted(names)))
