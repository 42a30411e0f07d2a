"""Detection of one video: analysis, scores, verdict, and a result with its provenance."""

import datetime
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection import coverage, quality_warnings, verdict
from lipfd_jax.detection.analysis import (
    PartTimer,
    Progress,
    VideoAnalysis,
    analyse_video,
    ignore_progress,
)
from lipfd_jax.detection.batches import Predict
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.provenance import (
    compute_fingerprint,
    describe_checkpoint,
    describe_file,
    hash_inputs,
    list_notes,
    list_versions,
)
from lipfd_jax.detection.result import Caution, FaceResult, Result, WindowScore
from lipfd_jax.detection.scoring import WindowImages, WindowScorer
from lipfd_jax.detection.stills import Stills
from lipfd_jax.evaluation.metrics.pooling import Decision, make_decision
from lipfd_jax.faces.face_search import default_finder
from lipfd_jax.inference.predictor import Predictor


@dataclass(frozen=True)
class Detection:
    """A result, and what its report shows besides."""

    result: Result
    analysis: VideoAnalysis
    examples: tuple[WindowImages, ...]  # the most suspicious windows of each face
    stills: Stills  # of suspicious windows


def detect_video(
    model: Predictor,
    video: str | PathLike,
    *,
    sound: str | PathLike | None = None,
    checksums: Mapping[str, str] | None = None,
    settings: DetectionSettings | None = None,
    predict: Predict | None = None,
    progress: Progress = ignore_progress,
) -> Detection:
    """Detects lip-sync forgery in a video.

    Args:
      sound: a file to take the sound from; see `analyse_video`.
      checksums: those of `hash_inputs`, where they are known.
      predict: replaces the model's own, for videos that share batches.

    Raises:
      ClipError: the file can't be read as a whole.
      MissingFinder: no face finder is installed, and the crop is auto.
    """
    settings, video = settings or DetectionSettings(), Path(video)
    sound = None if sound is None else Path(sound)
    started, timer = _format_now(), PartTimer()
    checksums = checksums or hash_inputs(video, sound)
    analysis = _analyse_video(video, sound, settings, timer, progress)
    decision = make_decision(model.metadata.calibration)  # waits for the model, if it is still loading
    scorer = _make_scorer(model, analysis, settings, decision, predict, timer, progress)
    scorer.score()
    faces = _build_faces(analysis, scorer.scored, decision)
    cautions = _find_cautions(analysis, scorer, faces, settings, model.metadata)
    evidence = verdict.combine_faces([face.evidence for face in faces], decision)
    result = Result(
        outcome=verdict.choose_outcome(evidence, decision, cautions),
        evidence=evidence,
        error_rates=verdict.read_error_rates(decision.calibration),
        faces=faces,
        not_judged=coverage.find_gaps(analysis.tracks, analysis.scan, analysis.sound),
        cautions=cautions,
        notes=list_notes(model.metadata),
        file=describe_file(video, sound, analysis, checksums),
        checkpoint=describe_checkpoint(model),
        settings=settings.to_json(),
        versions=list_versions(),
        command=tuple(sys.argv),
        started=started,
        finished=_format_now(),
        timing={part: round(seconds, 3) for part, seconds in timer.seconds.items()},
        identity=compute_fingerprint(checksums, model, settings),
    )
    return Detection(result, analysis, scorer.examples(), scorer.stills)


def _make_scorer(
    model: Predictor,
    analysis: VideoAnalysis,
    settings: DetectionSettings,
    decision: Decision,
    predict: Predict | None,
    timer: PartTimer,
    progress: Progress,
) -> WindowScorer:
    return WindowScorer(
        analysis,
        predict or model.predict,
        settings,
        decision,
        batch_size=model.batch_size,
        face_side=model.metadata.model.inputs.face_side,
        timer=timer,
        progress=progress,
    )


def _analyse_video(
    video: Path, sound: Path | None, settings: DetectionSettings, timer: PartTimer, progress: Progress
) -> VideoAnalysis:
    return analyse_video(
        video,
        finder=default_finder() if settings.crop == "auto" else None,
        sound=sound,
        compare_sound=settings.compare_sound,
        tracks=settings.tracks,
        timer=timer,
        progress=progress,
    )


def _build_faces(
    analysis: VideoAnalysis, scored: Sequence[Sequence[WindowScore]], decision: Decision
) -> tuple[FaceResult, ...]:
    return tuple(_build_face(index, analysis, windows, decision) for index, windows in enumerate(scored))


def _build_face(
    index: int, analysis: VideoAnalysis, windows: Sequence[WindowScore], decision: Decision
) -> FaceResult:
    scan, track = analysis.scan, analysis.tracks[index]
    correlation = analysis.lip_syncs[index].correlation
    bounds = scan.boundaries() - scan.times[0]
    middles = np.array([(window.start + window.end) / 2 for window in windows])
    scores = np.array([window.score for window in windows])
    smooth = verdict.smooth_scores(middles, scores)
    start, end = (round(float(t), 3) for t in (bounds[track.frames[0]], bounds[track.frames[-1] + 1]))
    evidence = verdict.compute_evidence([w.score for w in windows if not w.refined], decision)
    return FaceResult(
        number=index + 1,
        start=start,
        end=end,
        judged_seconds=round(float(np.diff(bounds)[track.frames[track.unfit == ""]].sum()), 3),
        finder=track.finder,
        outcome=verdict.choose_outcome(evidence, decision),
        evidence=evidence,
        windows=tuple(windows),
        curve=verdict.make_curve_points(middles, smooth),
        suspicions=verdict.find_suspicions(middles, smooth, decision, scores=scores, within=(start, end)),
        not_judged=coverage.find_track_gaps(track, scan),
        sound_correlation=None if np.isnan(correlation) else round(correlation, 3),
    )


def _find_cautions(
    analysis: VideoAnalysis,
    scorer: WindowScorer,
    faces: Sequence[FaceResult],
    settings: DetectionSettings,
    metadata: Metadata,
) -> tuple[Caution, ...]:
    judged_seconds, network = sum(face.judged_seconds for face in faces), metadata.model
    side = network.inputs.face_side
    found = (
        *quality_warnings.find_frame_cautions(analysis.scan, scorer.squares, face_side=side),
        *quality_warnings.find_track_cautions(analysis.scan.clock.video_choice, analysis.sound_choice),
        *quality_warnings.find_sound_cautions(analysis.sound, analysis.lip_syncs, analysis.offset),
        *quality_warnings.find_placement_cautions(analysis.sound_shift),
        *quality_warnings.find_selection_cautions(settings, scorer.left_out, judged_seconds),
        *quality_warnings.find_checkpoint_cautions(metadata.window_convention),
    )
    return found if network.hears else tuple(quality_warnings.with_effects_on_pictures(found))


def _format_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
