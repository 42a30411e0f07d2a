"""Evaluates a checkpoint on data: scores as they come, then metrics, pictures and the report."""

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from tqdm import tqdm

from lipfd_jax.checkpoints.store import Opened, open_model
from lipfd_jax.data import records
from lipfd_jax.data.sources import RecordSource, windows_mode
from lipfd_jax.evaluation.decision import decide
from lipfd_jax.evaluation.examples import ReportPicture, example_windows
from lipfd_jax.evaluation.predict import Chosen, Prediction, predict
from lipfd_jax.evaluation.results import write_results
from lipfd_jax.evaluation.scores import Scores, ScoresWriter, read_scores
from lipfd_jax.mesh import make_mesh, replicated
from lipfd_jax.models.inputs import mismatch
from lipfd_jax.scoring import make_saliency

SCORES, IDENTITY = "scores.csv", "evaluated.json"

Run = Callable[..., Iterator[Prediction]]  # `predict` of a model on its mesh


def evaluate(
    checkpoint: str,
    source: RecordSource,
    output: str | os.PathLike,
    *,
    step: int | None = None,
    batch_size: int = 8,
    threads: int = 2,
    against: str | None = None,
    threshold: float | None = None,
    kernels: str = "auto",
) -> Scores:
    """Scores every record of a source with a checkpoint and writes what there is to know.

    Into `output`: scores.csv row by row (an interrupted evaluation of the same checkpoint and data goes on
    where it stopped), metrics.json and report.html. Prints the tables.

    Args:
      batch_size: global; rounded up to a multiple of the number of devices.
      against: scores file of somebody else to compare with; read before anything is scored.
      threshold: a score of at least this is called fake.
      kernels: how operations are computed, a setting of kernels.choice.

    Raises:
      CheckpointError: the checkpoint can't be opened.
      ValueError: `output` holds the scores of another checkpoint or other data.
    """
    others = read_scores(against) if against else None
    mesh = make_mesh()
    opened = open_model(checkpoint, step=step, sharding=replicated(mesh))
    notes = _notes(opened, source)
    for line in notes.items():
        print(f"{line[0] + ':':14s} {line[1]}")
    output = Path(output)
    _claim(output, {**notes, "written": opened.fingerprint})
    graph, state = nnx.split(opened.model)
    batch_size = -(-batch_size // mesh.size) * mesh.size
    run = functools.partial(predict, graph, (state,), mesh=mesh, kernels=kernels)
    mapped = functools.partial(make_saliency(graph, mesh, kernels), (state,))
    scores = _score(run, source, output, batch_size=batch_size, threads=threads)
    print()
    decision = decide(threshold=threshold)
    write_results(
        scores,
        output,
        notes=notes,
        decision=decision,
        others=others,
        others_name=Path(against).name if against else "",
        pictures=list(_pictures(run, mapped, source, scores, decision.window_threshold)),
    )
    print(f"scores: {output / SCORES}")
    return scores


def _notes(opened: Opened, source: RecordSource) -> dict[str, str]:
    metadata, windows = opened.metadata, windows_mode(source)
    model = metadata.model
    notes = {
        "checkpoint": f"{opened.path} (step {metadata.step}, {metadata.origin})",
        "model": f"{model.encoder} + {model.backbone}, {model.dtype}",
        "inputs": f"{model.inputs.name}{' (antialias)' if model.inputs.antialias else ''}",
        "windows": f"{windows} (trained on {metadata.windows})",
        "data": f"{source}, {len(source):,} windows",
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }
    warning = mismatch(model.inputs, windows)
    return {**notes, "warning": warning} if warning else notes


def _claim(output: Path, notes: dict[str, str]) -> None:
    """Makes sure that scores already in the folder are of the same checkpoint and data."""
    output.mkdir(parents=True, exist_ok=True)
    identity = {name: notes[name] for name in ("checkpoint", "written", "inputs", "windows", "data")}
    note = output / IDENTITY
    if note.exists() and (found := json.loads(note.read_text())) != identity:
        raise ValueError(
            f"{output}: holds scores of {found.get('checkpoint')} on {found.get('data')}; "
            "give another output folder or remove it"
        )
    note.write_text(json.dumps(identity, indent=2) + "\n")


def _score(run: Run, source: RecordSource, output: Path, *, batch_size: int, threads: int) -> Scores:
    with ScoresWriter(output / SCORES) as writer:
        done = len(writer.finished)
        if done > len(source) or (done and _path(source, done - 1) not in writer.finished):
            raise ValueError(f"{output / SCORES}: holds scores of other data; give another output folder")
        todo = run(source, batch_size=batch_size, start=done, threads=threads)
        with tqdm(total=len(source), initial=done, unit="window", desc="scoring") as bar:
            for prediction in todo if done < len(source) else ():
                writer.append(prediction.rows)
                bar.update(len(prediction.rows))
    return read_scores(output / SCORES)


def _path(source: RecordSource, index: int) -> str:
    return records.picture_path(records.metadata(source[index]))


def _pictures(
    run: Run,
    mapped: Callable[[np.ndarray], jax.Array],
    source: RecordSource,
    scores: Scores,
    threshold: float,
) -> Iterator[ReportPicture]:
    """The windows worth showing, scored once more for their region weights, and what their scores hang on."""
    chosen = [int(i) for i in example_windows(scores, threshold=threshold)]
    found = list(run(Chosen(source, chosen), batch_size=jax.device_count()))
    weights = np.concatenate([p.region_weights for p in found]) if found else ()
    for index, region_weights in zip(chosen, weights, strict=True):
        image = records.decode(source[index])["composite"]
        yield ReportPicture(
            image=image,
            path=scores.path[index],
            label=int(scores.label[index]),
            score=float(scores.score[index]),
            region_weights=region_weights,
            saliency=np.asarray(mapped(image[None]))[0],
        )
