"""Evaluates a checkpoint on data: scores row by row, then metrics, example windows and the report."""

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.folders import FOLDER as RUN_FOLDER
from lipfd_jax.data import records
from lipfd_jax.data.data_fingerprint import DataFingerprint, compute_data_fingerprint
from lipfd_jax.data.sources import RecordReader, find_window_convention, read_face_side
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import Decision, Pooling, make_decision
from lipfd_jax.evaluation.metrics.scores import Scores, read_scores
from lipfd_jax.evaluation.metrics.skipped import find_unscored_videos, read_skipped
from lipfd_jax.evaluation.metrics.summary import MetricSummary
from lipfd_jax.evaluation.output_folder import (
    SCORES_CSV,
    SKIPPED_CSV,
    ScoresIdentity,
    claim_folder,
    finish_folder,
)
from lipfd_jax.evaluation.predict import RecordSubset, Run, predict_records, score_source
from lipfd_jax.evaluation.report.examples import choose_examples
from lipfd_jax.evaluation.report.write import write_results
from lipfd_jax.evaluation.suites.results import SuiteResult
from lipfd_jax.inference.detector import CompositeDetector
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.models.inputs import convention_warning, face_side_warning
from lipfd_jax.pages.windows import ExampleWindow
from lipfd_jax.runtime.distributed import broadcast_from_first, is_first_process, run_on_first
from lipfd_jax.runtime.mesh import connect_processes, make_mesh
from lipfd_jax.storage.locks import lock_folder


@dataclass(frozen=True)
class Options:
    """Settings of an evaluation and of its report."""

    batch_size: int = 8  # global; rounded up to a multiple of the number of devices
    threads: int = 2  # reader threads
    compare_scores: str | None = None  # scores file of another detector to compare with
    threshold: float | None = None  # called fake from here on; None: the calibration's, or 0.5
    pooling: Pooling | None = None  # how windows become a video score; None: the calibration's, or the mean
    calibrated: bool = True  # apply the checkpoint's calibration, where it has one
    skip_corrupt: bool = False  # list records that can't be read and continue, instead of stopping
    overwrite: bool = False  # start anew, replacing whatever the output holds
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP  # how intervals are made
    examples: int = 2  # windows shown of each kind: real and fake, rightly and wrongly called
    kernels: str = "auto"  # how operations are computed, a setting of kernels.dispatch
    precision: str | None = None  # number format, one of precision.SETTINGS; None for the checkpoint's
    engine: str = "auto"  # what runs an export, one of inference.engines.ENGINES

    def __post_init__(self):
        for name in ("batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")


DEFAULTS = Options()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of an evaluation and their metrics."""

    scores: Scores
    summary: MetricSummary


def open_detector(
    checkpoint: str, *, step: int | None = None, options: Options = DEFAULTS
) -> CompositeDetector:
    """Opens a checkpoint or export over the devices of all processes, for an evaluation with `options`.

    Raises CheckpointError and ValueError as `Detector.open` does.
    """
    mesh = make_mesh()
    connect_processes(mesh)
    return CompositeDetector.open(
        checkpoint,
        step=step,
        batch_size=options.batch_size,
        engine=options.engine,
        precision=options.precision,
        kernels=options.kernels,
        calibrated=options.calibrated,
        compared=options.compare_scores is not None,
        mesh=mesh,
    )


def choose_decision(detector: Predictor, options: Options) -> Decision:
    """Decision rule of an evaluation and its suites: the checkpoint's calibration as far as options leave it.

    Raises ValueError as `make_decision` does.
    """
    calibration = detector.metadata.calibration if options.calibrated else None
    return make_decision(calibration, threshold=options.threshold, pooling=options.pooling)


def evaluate(
    detector: CompositeDetector,
    source: RecordReader,
    output: str | os.PathLike,
    *,
    options: Options = DEFAULTS,
    suites: Sequence[SuiteResult] = (),
) -> Evaluation | None:
    """Scores every record of a source with a detector and writes the scores, the metrics and a report.

    Into `output`: scores.csv row by row (an interrupted evaluation of the same weights and records
    resumes), metrics.json, metrics.csv, videos.csv and report.html. Prints the tables. Several
    processes (`distributed.join_processes`) share the scoring; the first one writes, and the others return
    None.

    Raises:
      ValueError: `output` holds the scores of another checkpoint or other data or is in use; the
        checkpoint's calibration was fitted on these very records; a record can't be read.
      OSError: `output` or `compare_scores` can't be written or read; the machine has other trouble.
    """
    others = read_scores(options.compare_scores) if options.compare_scores else None
    data_fingerprint = compute_data_fingerprint(source)
    decision = choose_decision(detector, options)
    calibration = decision.calibration
    _refuse_fitted_on(calibration, data_fingerprint)
    notes = _make_notes(detector, source, data_fingerprint)
    notes |= {"calibration": f"fitted on {calibration.data}"} if calibration else {}
    with _claim_output(
        output, _make_scores_identity(detector, data_fingerprint), options.overwrite
    ) as folder:
        if is_first_process():
            print("\n".join(f"{name + ':':14s} {text}" for name, text in notes.items()))
        score_source(
            _make_predict(detector, options.threads), source, folder, skip_corrupt=options.skip_corrupt
        )
        scores = read_scores(folder / SCORES_CSV) if is_first_process() else None
        known = scores or Scores.from_rows([])
        shown = choose_examples(known, count=options.examples, threshold=decision.window_threshold)
        example_windows = list(_make_examples(detector, source, scores, folder, shown))
        if scores is None:
            return None
        print()
        summary = write_results(
            scores,
            folder,
            notes=notes | _make_skipped_notes(folder, scores),
            decision=decision,
            bootstrap=options.bootstrap,
            others=others,
            others_name=Path(options.compare_scores).name if options.compare_scores else "",
            example_windows=example_windows,
            metadata=detector.metadata,
            suites=suites,
        )
        finish_folder(folder)
        print(f"scores: {folder / SCORES_CSV}")
    return Evaluation(scores, summary)


def _make_predict(detector: CompositeDetector, threads: int) -> Run:
    """Returns the function that scores a source; on a CPU first a pair, so that a score appears early."""
    size, smallest = detector.batch_size, detector.smallest_batch
    return functools.partial(
        predict_records,
        detector.submit,
        batch_size=size,
        threads=threads,
        first=smallest if smallest < size else None,
    )


def _refuse_fitted_on(calibration: Calibration | None, data_fingerprint: DataFingerprint) -> None:
    if calibration and calibration.data_fingerprint == data_fingerprint.digest:
        raise ValueError(
            f"the checkpoint's calibration was fitted on these very records ({data_fingerprint}), so "
            "its metrics on them would be optimistic; evaluate on others, or give --calibration=none"
        )


def _make_scores_identity(detector: CompositeDetector, data_fingerprint: DataFingerprint) -> ScoresIdentity:
    model, inputs = detector.metadata.model, detector.metadata.model.inputs
    antialias = " antialiased" if inputs.released_antialias else ""
    engine = f", {detector.engine}" if detector.engine else ""
    sizes = f"{inputs.picture_size}/{inputs.crop_size} px"
    return ScoresIdentity(
        weights=detector.fingerprint,
        records=data_fingerprint.digest,
        settings=f"{inputs.name} inputs{antialias} {sizes}, {model.dtype}{engine}",
        checkpoint=detector.path,
        data=str(data_fingerprint),
    )


@contextlib.contextmanager
def _claim_output(output: str | os.PathLike, wanted: ScoresIdentity, overwrite: bool) -> Iterator[Path]:
    """The output folder, locked by the first process and holding the wanted scores or none."""
    with contextlib.ExitStack() as stack:

        def take() -> str:
            if "://" not in str(output):  # else claim refuses it
                stack.enter_context(lock_folder(output, "an evaluation"))
            return str(claim_folder(output, wanted, overwrite=overwrite))

        yield Path(run_on_first(take))


def _make_notes(
    detector: CompositeDetector, source: RecordReader, data_fingerprint: DataFingerprint
) -> dict[str, str]:
    metadata, convention = detector.metadata, find_window_convention(source)
    model = metadata.model
    notes = {
        "checkpoint": f"{_checkpoint_label(detector.path)} (step {metadata.step}, {metadata.origin})",
        "weights": detector.fingerprint,
        "model": f"{model.encoder} + {model.backbone}, {model.dtype}",
        "inputs": f"{model.inputs.name}{' (antialias)' if model.inputs.released_antialias else ''}",
        "windows": f"{convention} (trained on {metadata.window_convention})",
        "data": str(data_fingerprint),
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        **({"engine": detector.engine} if detector.engine else {}),
    }
    found = (
        convention_warning(model.inputs, convention),
        face_side_warning(model.inputs, read_face_side(source)),
    )
    warning = "; ".join(filter(None, found))
    return {**notes, "warning": warning} if warning else notes


def _checkpoint_label(path: str) -> str:
    """A checkpoint's name without its whole path: a run's workdir and step, or a folder."""
    parts = Path(path).parts
    return "/".join(parts[-3:] if parts[-2:-1] == (RUN_FOLDER,) else parts[-1:])


def _make_skipped_notes(folder: Path, scores: Scores) -> dict[str, str]:
    skipped = read_skipped(folder / SKIPPED_CSV)
    if not skipped:
        return {}
    lost = find_unscored_videos(skipped, scores.video)
    unscored = f"; videos without any window: {', '.join(lost)}" if lost else ""
    return {"skipped": f"{len(skipped):,} records could not be read, see {SKIPPED_CSV}{unscored}"}


def _make_examples(
    detector: CompositeDetector,
    source: RecordReader,
    scores: Scores | None,
    folder: Path,
    chosen: np.ndarray,
) -> Iterator[ExampleWindow]:
    """The example windows, scored once more for their region weights, with their saliency maps.

    Every process computes them; the first one, which has the scores, yields them.
    """
    skipped = [one.index for one in read_skipped(folder / SKIPPED_CSV)] if scores else []
    places = broadcast_from_first(np.setdiff1d(np.arange(len(source)), skipped)[chosen].tolist())
    found = predict_records(detector.submit, RecordSubset(source, places), batch_size=detector.smallest_batch)
    weights = np.concatenate([scored.region_weights for scored in found] or [np.zeros((0, 5, 3))])
    for number, (place, region_weights) in enumerate(zip(places, weights, strict=True)):
        image = records.decode_record(source[place])["composite"]
        saliency = detector.saliency(image)
        if scores:
            yield ExampleWindow(
                image=image,
                path=scores.path[chosen[number]],
                label=int(scores.label[chosen[number]]),
                score=float(scores.score[chosen[number]]),
                region_weights=region_weights,
                saliency=saliency,
            )
