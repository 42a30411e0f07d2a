"""HTML report of one result, for laymen: a single file that loads nothing."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from markupsafe import Markup

from lipfd_jax.detection.detect import Detection
from lipfd_jax.detection.result import FaceResult, Gap, Result
from lipfd_jax.detection.scoring import WindowImages
from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.detection.texts import BLIND_SPOTS, OUTCOMES, SERIOUS_LIMIT, format_number, format_time
from lipfd_jax.evaluation.metrics.pooling import Decision, make_decision
from lipfd_jax.faces.scan import Scan
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.names import encode_name, escape_bytes
from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.charts import Chart, Guide, Series, render_chart
from lipfd_jax.pages.images import encode_data_uri
from lipfd_jax.pages.rendering import render_page
from lipfd_jax.pages.windows import ExampleWindow, build_example_view
from lipfd_jax.preprocessing.audio import colour_mel
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import REGIONS

_MAX_FACES = 6  # that are shown; all of them are in result.json
_THUMBNAILS = 24  # frames of the video in a row
_MAX_MEL_COLUMNS = 1000
SCRIPTS = ("detection.js",)  # scripts that the page includes
_MEDIA_POLICY = "media-src 'self' file: blob:"


def write_page(path: Path, detection: Detection, model: Predictor, video: Path) -> None:
    """Writes report.html; it plays the video from its present path, or from the page's folder."""
    result, analysis = detection.result, detection.analysis
    source = os.path.relpath(video.absolute(), path.parent.absolute()).replace(os.sep, "/")
    text = render_page(
        "lipfd_jax.detection",
        "detection.html",
        scripts=SCRIPTS,
        allow=(_MEDIA_POLICY,),
        title="Was this video lip-synced?",
        result=result,
        words=OUTCOMES[result.outcome],
        strength=describe_evidence(result),
        serious=sum(caution.serious for caution in result.cautions),
        limit=SERIOUS_LIMIT,
        video_source=quote(encode_name(source)),
        beside=quote(encode_name(result.file.name)),
        strip=_draw_thumbnails(analysis.scan),
        mel=_draw_mel(analysis.sound, analysis.scan),
        rows=[_timeline_row(face, result.file.seconds) for face in result.faces[:_MAX_FACES]],
        missing=_gap_rows(result.not_judged),
        faces=[
            _face_values(face, detection.examples, model)
            for face in result.faces[:_MAX_FACES]
            if face.windows
        ],
        blind_spots=BLIND_SPOTS,
        quote=make_quote(result),
        facts=_fact_rows(result),
    )
    files.write_text(path, escape_bytes(text))


def describe_evidence(result: Result) -> list[str]:
    """Describes the evidence in sentences, with the error rates measured at the threshold."""
    found, rates = result.evidence, result.error_rates
    log_ratio, probability = found.log10_likelihood_ratio, found.probability
    if found.score is None:
        return []
    if rates is None or log_ratio is None or probability is None:
        return [f"Score {format_number(found.score, 3)} between 0 (real) and 1 (forged).", *result.notes]
    ratio = 10**log_ratio
    likelier = (
        f"{format_number(ratio)} times likelier"
        if ratio >= 1
        else f"{format_number(1 / ratio)} times less likely"
    )
    return [
        f"Such scores are {likelier} from a forgery of the known kinds than from a real video (as far as "
        f"{rates.videos} videos can tell).",
        f"If {100 * rates.prior:.0f} % of such videos were forged, the probability that this one is would be "
        f"{100 * probability:.0f} %; where forgeries are rarer, the probability is lower.",
        f"At its threshold the detector called {100 * rates.false_positive_rate:.1f} % of real videos forged "
        f"and missed {100 * rates.false_negative_rate:.1f} % of forgeries; on other material it errs more. "
        f"That was measured on {rates.videos} videos: {rates.data}.",
    ]


def make_quote(result: Result) -> str:
    """Makes a short text to copy."""
    words = OUTCOMES[result.outcome]
    lines = [
        f"{result.file.name} (SHA-256 {result.file.sha256}): {words.title}. {words.meaning}",
        *describe_evidence(result),
        *(f"Warning: {caution.text} {caution.effect}" for caution in result.cautions),
        words.caveat,
        f"lipfd-jax {result.versions['lipfd-jax']}, checkpoint {result.checkpoint['fingerprint']}, "
        f"{result.finished}.",
    ]
    return "\n".join(lines)


def _face_values(face: FaceResult, examples: tuple[WindowImages, ...], model: Predictor) -> dict[str, Any]:
    score = "not scored" if face.evidence.score is None else f"score {format_number(face.evidence.score, 3)}"
    follows = ""
    if face.sound_correlation is not None:
        correlation = format_number(face.sound_correlation)
        follows = f" The mouth's motion correlates with the sound's loudness by {correlation}."
    whole = " (the picture as it is)" if face.finder == "none" else ""
    return {
        "title": f"Face {face.number}{whole}, {format_time(face.start)} to {format_time(face.end)}",
        "text": f"{OUTCOMES[face.outcome].title}: {score}, from {len(face.windows)} windows over "
        f"{format_number(face.judged_seconds, 1)} s.{follows}",
        "stretches": [
            {
                "start": s.start,
                "text": f"{format_time(s.start)} to {format_time(s.end)}, score {format_number(s.score)}",
            }
            for s in face.suspicions
        ],
        "chart": _draw_scores(face, make_decision(model.metadata.calibration)),
        "missing": _gap_rows(face.not_judged),
        "windows": [_window_values(e, model) for e in examples if e.face == face.number - 1],
    }


def _draw_scores(face: FaceResult, decision: Decision) -> Markup:
    """Chart of window scores and their smoothed curve over time."""
    times = np.array([point.time for point in face.curve])
    low, high = float(face.start), max(float(face.end), face.start + 0.1)
    ticks = tuple(np.linspace(low, high, 5))
    threshold = decision.window_threshold
    scores = np.array([window.score for window in face.windows])
    return render_chart(
        Chart(
            title="Score over time",
            x=Axis("time", low, high, ticks, format_time),
            y=Axis("score", 0.0, 1.0, (0, 0.25, 0.5, 0.75, 1)),
            lines=(
                Series("smoothed", times, np.array([point.score for point in face.curve]), "accent"),
                Series("each window", times, scores, "second", dash=2, dots=True),
            ),
            guides=(Guide((low, high), (threshold, threshold)),),
            caption="The dotted level is the threshold. The smoothed curve is the median over 1.5 s.",
            height=220,
        )
    )


def _window_values(images: WindowImages, model: Predictor) -> dict[str, Any]:
    composite, window = assemble_composite(images.mel, images.frames), images.window
    made = build_example_view(
        ExampleWindow(
            composite, format_time(window.start), 1, window.score, saliency=model.saliency(composite)
        )
    )
    weights = ", ".join(
        f"{region} {100 * share:.0f} %" for region, share in zip(REGIONS, window.region_weights, strict=True)
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
    pieces += [piece("missing", gap.start, gap.end) for gap in face.not_judged]
    pieces += [piece("suspicious", found.start, found.end) for found in face.suspicions]
    return {"name": f"Face {face.number}", "pieces": pieces}


def _gap_rows(gaps: tuple[Gap, ...]) -> list[list[str]]:
    return [[format_time(gap.start), format_time(gap.end), gap.text] for gap in gaps]


def _draw_thumbnails(scan: Scan) -> str:
    """Image of thumbnails side by side, evenly over the video."""
    wanted = np.linspace(float(scan.times[0]), scan.end, _THUMBNAILS, endpoint=False)
    times = np.array([thumbnail.time for thumbnail in scan.thumbnails])
    chosen = [int(np.argmin(np.abs(times - time))) for time in wanted]
    height, width = scan.thumbnails[0].image.shape[:2]
    images = [cv2.resize(scan.thumbnails[i].image, (width, height)) for i in chosen]
    return encode_data_uri(np.concatenate(images, axis=1), width=1600)


def _draw_mel(sound: SoundTrack | None, scan: Scan) -> str:
    """Mel image of the sound over the video's time, low tones on top as in composites."""
    if sound is None or sound.columns < 2:
        return ""
    step = max(1, sound.columns // _MAX_MEL_COLUMNS)
    parts = [block[:, : block.shape[1] // step * step] for block in sound.blocks]
    power = np.concatenate([p.reshape(len(p), -1, step).mean(2) for p in parts if p.shape[1]], axis=1)
    image = colour_mel(power)
    per_second = image.shape[1] / max(sound.end - sound.start, 0.01)
    width = max(2, round((scan.end - scan.times[0]) * per_second))
    first = round((sound.start - scan.times[0]) * per_second)
    canvas = np.zeros((image.shape[0], width, 3), np.uint8)
    a, b = max(first, 0), min(first + image.shape[1], width)
    canvas[:, a:b] = image[:, a - first : b - first]
    return encode_data_uri(canvas, width=1600)


def _fact_rows(result: Result) -> list[tuple[str, str]]:
    file, checkpoint = result.file, result.checkpoint
    step = f", step {checkpoint['step']}" if checkpoint["step"] else ""  # a converted one has none
    model = f"{checkpoint['encoder']} + {checkpoint['backbone']}"
    sound = "none"
    if file.sound:
        sound = f"{file.sound['codec']}, {file.sound['rate']} Hz, {file.sound['channels']} channels"
    return [
        ("file", f"{file.name}, {file.bytes:,} bytes, {format_time(file.seconds)}"),
        ("SHA-256", file.sha256),
        (
            "picture",
            f"{file.video['codec']}, {file.width}x{file.height}, {format_number(file.fps)} frames a second",
        ),
        ("sound", sound),
        ("checkpoint", f"{checkpoint['fingerprint']}, {checkpoint['origin']}{step}"),
        ("model", f"{model}, {checkpoint['inputs']} inputs, {checkpoint['precision']}"),
        (
            "calibration",
            "fitted on " + checkpoint["calibration"]["data"] if checkpoint["calibration"] else "none",
        ),
        ("settings", ", ".join(f"{name} {value}" for name, value in result.settings.items())),
        ("versions", ", ".join(f"{name} {value}" for name, value in result.versions.items())),
        ("judged", f"{result.started} to {result.finished}"),
        ("command", " ".join(result.command)),
    ]
