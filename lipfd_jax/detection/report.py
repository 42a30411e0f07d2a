"""HTML report of one result, for laymen: a single file that loads nothing."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lipfd_jax.detection.detect import Detection
from lipfd_jax.detection.gap_groups import group_gaps
from lipfd_jax.detection.playback import describe_obstacles, has_mute_sound
from lipfd_jax.detection.report_pictures import draw_mel, draw_scores, draw_thumbnails
from lipfd_jax.detection.report_texts import describe_evidence, list_facts, list_further_notes, make_quote
from lipfd_jax.detection.result import FaceResult, Gap, Result, Suspicion
from lipfd_jax.detection.scoring import WindowImages
from lipfd_jax.detection.stills import Stills, find_still
from lipfd_jax.detection.texts import (
    OUTCOMES,
    SERIOUS_LIMIT,
    format_number,
    format_time,
    get_blind_spots,
)
from lipfd_jax.evaluation.metrics.pooling import make_decision
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.names import encode_name, escape_bytes
from lipfd_jax.pages.images import make_jpeg_uri
from lipfd_jax.pages.rendering import render_page
from lipfd_jax.pages.windows import ExampleWindow, build_example_view
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import REGIONS

_MAX_FACES = 6  # that are shown; all of them are in result.json
_MAX_STRETCHES = 12  # suspicious ones with a still and a clip; the others are in a table
SCRIPTS = ("detection.js",)  # scripts that the page includes
_MEDIA_POLICY = "media-src 'self' file: blob:"


def write_page(path: Path, detection: Detection, model: Predictor, video: Path) -> None:
    """Writes report.html; it plays the video from its present path, or from the page's folder."""
    result, analysis = detection.result, detection.analysis
    stretches = _list_stretches(result)
    shown = sorted(stretches, key=lambda entry: -entry[1].peak_score)[:_MAX_STRETCHES]
    offset = round(max(float(analysis.scan.times[0]), 0.0), 3)  # browsers play by the file's clock
    source = os.path.relpath(video.absolute(), path.parent.absolute()).replace(os.sep, "/")
    text = render_page(
        "lipfd_jax.detection",
        "detection.html",
        scripts=SCRIPTS,
        allow=(_MEDIA_POLICY,),
        title="Was this video lip-synced?",
        result=result,
        words=result.words,
        strength=describe_evidence(result),
        warnings=sorted(result.cautions, key=lambda caution: not caution.serious),
        further_notes=list_further_notes(result),
        serious=sum(caution.serious for caution in result.cautions),
        limit=SERIOUS_LIMIT,
        video_source=quote(encode_name(source)),
        beside=quote(encode_name(result.file.name)),
        obstacles=describe_obstacles(result.file),
        mute=has_mute_sound(result.file),
        offset=offset,
        strip=draw_thumbnails(analysis.scan),
        mel=draw_mel(analysis.sound, analysis.scan),
        rows=[_timeline_row(face, result.file.seconds) for face in result.faces[:_MAX_FACES]],
        more_faces=len(result.faces[_MAX_FACES:]),
        missing=_gap_rows(result.not_judged),
        stretches=[
            _stretch_values(*entry, offset, detection.stills) for entry in stretches if entry in shown
        ],
        more_stretches=[_stretch_row(*entry) for entry in stretches if entry not in shown],
        unjudged_faces=[_unjudged_values(face) for face in result.faces[:_MAX_FACES] if not face.windows],
        faces=[
            _face_values(face, detection.examples, model)
            for face in result.faces[:_MAX_FACES]
            if face.windows
        ],
        blind_spots=get_blind_spots(result.hears),
        hears=result.hears,
        quote=make_quote(result),
        facts=list_facts(result),
    )
    files.write_text(path, escape_bytes(text))


def _face_values(face: FaceResult, examples: tuple[WindowImages, ...], model: Predictor) -> dict[str, Any]:
    score = "not scored" if face.evidence.score is None else f"score {format_number(face.evidence.score, 3)}"
    follows = ""
    if face.sound_correlation is not None:
        correlation = format_number(face.sound_correlation)
        follows = f" The mouth's motion correlates with the sound's loudness by {correlation}."
    whole = " (the picture as it is)" if face.finder == "none" else ""
    return {
        "title": _title_face(face, whole),
        "text": f"{OUTCOMES[face.outcome].title}: {score}, from {len(face.windows)} windows over "
        f"{format_number(face.judged_seconds, 1)} s.{follows}",
        "stretches": face.suspicions,
        "chart": draw_scores(face, make_decision(model.metadata.calibration)),
        "missing": _gap_rows(face.not_judged),
        "windows": [_window_values(e, model) for e in examples if e.face == face.number - 1],
    }


def _title_face(face: FaceResult, added: str = "") -> str:
    return f"Face {face.number}{added}, {format_time(face.start)} to {format_time(face.end)}"


def _unjudged_values(face: FaceResult) -> dict[str, Any]:
    """Values of a face without a window; its main reason heads its details."""
    missing = _gap_rows(face.not_judged)
    why = missing[0]["reason"] if missing else "no place for five frames"
    return {"title": _title_face(face), "why": why, "missing": missing}


def _list_stretches(result: Result) -> list[tuple[FaceResult, Suspicion]]:
    """Suspicious stretches of all faces, in order of time."""
    found = [(face, stretch) for face in result.faces for stretch in face.suspicions]
    return sorted(found, key=lambda entry: (entry[1].start, entry[0].number))


def _stretch_values(face: FaceResult, stretch: Suspicion, offset: float, stills: Stills) -> dict[str, Any]:
    seconds = format_number(stretch.end - stretch.start, 1)
    still = find_still(stills, face, stretch)
    return {
        "play": ",".join(str(round(time + offset, 3)) for time in (stretch.start, stretch.end)),
        "times": f"{format_time(stretch.start)} to {format_time(stretch.end)} ({seconds} s)",
        "peak": format_time(stretch.peak_time),
        "peak_time": stretch.peak_time,
        "score": format_number(stretch.peak_score),
        "face": "" if face.finder == "none" else f"Face {face.number}",
        "still": make_jpeg_uri(still) if still else "",
    }


def _stretch_row(face: FaceResult, stretch: Suspicion) -> list[str]:
    times = (format_time(time) for time in (stretch.start, stretch.end, stretch.peak_time))
    return [*times, format_number(stretch.peak_score), str(face.number)]


def _window_values(images: WindowImages, model: Predictor) -> dict[str, Any]:
    composite, window = assemble_composite(images.mel, images.frames), images.window
    # Maps explain suspicions; without one, no program is compiled for them.
    suspicious = window.score >= make_decision(model.metadata.calibration).window_threshold
    saliency = model.saliency(composite) if suspicious else None
    made = build_example_view(
        ExampleWindow(composite, format_time(window.start), 1, window.score, saliency=saliency)
    )
    weights = ", ".join(
        f"{region} {100 * share:.0f} %"
        for region, share in zip(REGIONS, window.region_weights, strict=True)
        if region in model.metadata.model.inputs.regions
    )
    return {
        "image": made.image,
        "overlay": made.overlay,
        "time": format_time(window.start),
        "start": window.start,
        "score": format_number(window.score, 3),
        "weights": weights,
    }


def _timeline_row(face: FaceResult, seconds: float) -> dict[str, Any]:
    """Values of a face's bar in the timeline: pieces with their places in per cent."""

    def piece(kind: str, start: float, end: float) -> dict[str, Any]:
        return {
            "kind": kind,
            "left": round(100 * start / seconds, 3),
            "width": round(100 * (end - start) / seconds, 3),
        }

    pieces = [piece("judged", face.start, face.end)]
    pieces += [piece("suspicious", found.start, found.end) for found in face.suspicions]
    pieces += [piece("missing", gap.start, gap.end) for gap in face.not_judged]  # last: these lie above
    return {"name": f"Face {face.number}", "pieces": pieces}


def _gap_rows(gaps: tuple[Gap, ...]) -> list[dict[str, Any]]:
    """Reasons with the time they take and their places, the one that takes most first."""
    return [
        {
            "reason": group.reason,
            "together": f"{format_number(group.seconds, 1)} s"
            if group.seconds < 60
            else format_time(group.seconds),
            "places": group.places,
        }
        for group in group_gaps(gaps)
    ]
