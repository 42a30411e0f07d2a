"""Judges one video: looks at it, listens, scores windows, and puts together what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lipfd_jax.detection import coverage, quality_warnings, verdict
from lipfd_jax.detection.batches import Predict
from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.lip_sync import Agreement, agreement
from lipfd_jax.detection.result import Caution, FaceResult, NotJudged, WindowScore, not_judged
from lipfd_jax.detection.scoring import Clock, Material, Picture, Report, Scorer, no_report
from lipfd_jax.detection.sound import Heard, listen, runs
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision
from lipfd_jax.faces.finders import Finder
from lipfd_jax.faces.scan import MAX_HOURS, Scan, scan_video
from lipfd_jax.faces.tracks import FaceTrack, find_fit_starts, follow_faces
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import Damage, read_promised_seconds
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW


@dataclass(frozen=True)
class Judgement:
    """All that judging one video gave."""

    scan: Scan
    heard: Heard | None
    faces: tuple[FaceResult, ...]
    not_judged: tuple[NotJudged, ...]
    cautions: tuple[Caution, ...]
    pictures: tuple[Picture, ...]  # the most suspicious windows
    timing: dict[str, float]  # seconds by part


@dataclass(frozen=True)
class Looked:
    """What is known of a video before a model is asked."""

    material: Material
    agreements: tuple[Agreement, ...]  # of the tracks, how each mouth follows the sound
    clock: Clock


def look(
    video: Path, *, finder: Finder | None, sound: Path | None = None, report: Report | None = None
) -> Looked:
    """Looks at a video of any length and listens to it, holding little of it at a time.

    Where a decoder reports damage, picture or sound are not judged; the rest is, with a warning.

    Args:
      finder: of faces; None with crop none.
      sound: a file whose sound goes with the picture from its first frame on; by default the video's own.

    Raises:
      ClipError: the file can't be read, as a whole.
    """
    told, clock = report or no_report, Clock()
    seconds = read_promised_seconds(video)
    with clock.part("picture and faces"):
        seen = scan_video(
            video, finder, damage=Damage("keep"), progress=lambda done: told("looking", done, seconds)
        )
    with clock.part("sound"):
        heard = _listened(video, sound, seen)
    tracks, agreements = _tracks(seen, heard, with_faces=finder is not None)
    material = Material(video, seen, heard, tuple(tracks))
    return Looked(material, tuple(agreements), clock)


def judge(
    looked: Looked,
    predict: Predict,
    *,
    settings: Settings,
    decision: Decision = DEFAULT_DECISION,
    batch_size: int = 8,
    report: Report | None = None,
) -> Judgement:
    """Scores windows of a video that was looked at, and puts together what they say.

    Args:
      predict: composites (B, 1000, 2500, 3) uint8 to scores (B,) and region weights (B, 5, 3).
      batch_size: windows handed to `predict` at once.
    """
    told, clock, agreements = report or no_report, looked.clock, looked.agreements
    seen, heard, tracks = looked.material.seen, looked.material.heard, looked.material.tracks
    scorer = Scorer(looked.material, predict, settings, batch_size=batch_size, clock=clock, report=told)
    left_out = scorer.run(decision)
    faces = [
        _face(number, track, seen, windows, decision, agreements[number].correlation)
        for number, (track, windows) in enumerate(zip(tracks, scorer.scored, strict=True))
    ]
    found = (
        quality_warnings.picture_cautions(seen, scorer.squares)
        + quality_warnings.sound_cautions(heard, agreements)
        + quality_warnings.choice_cautions(settings, left_out, sum(face.judged_seconds for face in faces))
    )
    missing = coverage.not_judged(tracks, seen, heard)
    return Judgement(
        seen,
        heard,
        tuple(faces),
        tuple(not_judged(s.start, s.end, s.reason) for s in missing),
        tuple(found),
        tuple(scorer.pictures()),
        {name: round(value, 3) for name, value in clock.parts.items()},
    )


def _listened(video: Path, sound: Path | None, seen: Scan) -> Heard | None:
    """The sound; None where the video has no track of its own. A sound file must be readable."""
    longest = MAX_HOURS * 3600
    if sound is not None:
        return replace(listen(sound, longest), start=float(seen.times[0]))
    try:
        return listen(video, longest)
    except ClipError as error:
        if str(error) == f"{video}: no sound track":
            return None
        raise


def _tracks(seen: Scan, heard: Heard | None, *, with_faces: bool) -> tuple[list[FaceTrack], list[Agreement]]:
    """What is to be judged, the likeliest speaker first, and how each mouth follows the sound."""
    found = [coverage.whole_picture(seen)]
    if with_faces:
        found = follow_faces(seen.samples, seen.times, seen.width, seen.height)
    found = coverage.without_damage(found, seen)
    tracks = [t for t in coverage.with_sound(found, seen, heard) if len(t.frames) >= FRAMES_PER_WINDOW]
    agreements = [agreement(track, seen, heard) for track in tracks]
    order = sorted(range(len(tracks)), key=lambda i: _rank(tracks[i], agreements[i]))
    return [tracks[i] for i in order], [agreements[i] for i in order]


def _rank(track: FaceTrack, found: Agreement) -> tuple:
    """The face whose mouth moves with the sound comes first, unmeasured ones last."""
    known = not np.isnan(found.correlation)
    return (
        not len(find_fit_starts(track)),
        not known,
        -round(found.correlation, 2) if known else 0,
        -len(track.frames),
    )


def _face(
    index: int,
    track: FaceTrack,
    seen: Scan,
    windows: Sequence[WindowScore],
    decision: Decision,
    correlation: float,
) -> FaceResult:
    bounds = coverage.boundaries(seen) - seen.times[0]
    middles = np.array([(window.start + window.end) / 2 for window in windows])
    smooth = verdict.smooth_scores(middles, np.array([window.score for window in windows]))
    found = verdict.compute_evidence([w.score for w in windows if not w.refined], decision)
    missing = [
        not_judged(float(bounds[track.frames[a]]), float(bounds[track.frames[b - 1] + 1]), reason)
        for a, b, reason in runs(track.unfit)
        if reason
    ]
    return FaceResult(
        number=index + 1,
        start=round(float(bounds[track.frames[0]]), 3),
        end=round(float(bounds[track.frames[-1] + 1]), 3),
        judged_seconds=round(float(np.diff(bounds)[track.frames[track.unfit == ""]].sum()), 3),
        finder=track.finder,
        outcome=verdict.choose_outcome(found, decision),
        evidence=found,
        windows=tuple(windows),
        curve=verdict.curve_points(middles, smooth),
        suspicions=verdict.find_suspicions(middles, smooth, decision),
        not_judged=tuple(missing),
        sound_correlation=None if np.isnan(correlation) else round(correlation, 3),
    )
