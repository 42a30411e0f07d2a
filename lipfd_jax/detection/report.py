"""The page of one result: for readers who are no engineers, whole in one file, asking nothing of the net."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from markupsafe import Markup

from lipfd_jax.detection.detect import Detected, Model
from lipfd_jax.detection.result import FaceResult, NotJudged, Result
from lipfd_jax.detection.scoring import Picture
from lipfd_jax.detection.sound import Heard
from lipfd_jax.detection.texts import BLIND_SPOTS, OUTCOMES, SERIOUS_LIMIT, clock, number
from lipfd_jax.evaluation.metrics.pooling import Decision, make_decision
from lipfd_jax.faces.scan import Scan
from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.charts import Chart, Guide, Series, render_chart
from lipfd_jax.pages.images import encode_data_uri
from lipfd_jax.pages.rendering import render_page
from lipfd_jax.pages.windows import ExampleWindow, build_example_view
from lipfd_jax.preprocessing.audio import colour_mel
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import REGIONS

_FACES = 6  # shown in full; the rest is in result.json
_STRIP = 24  # pictures of the video in a row
_MEL_COLUMNS = 1000
SCRIPTS = ("detection.js",)  # that the page runs
_MEDIA = "media-src 'self' file: blob:"


def write_page(path: Path, detected: Detected, model: Model, video: Path) -> None:
    """Writes report.html; it plays the video from where it lies now, or from beside the page."""
    result, judged = detected.result, detected.judgement
    source = quote(os.path.relpath(video.absolute(), path.parent.absolute()).replace(os.sep, "/"))
    text = render_page(
        "lipfd_jax.detection",
        "detection.html",
        scripts=SCRIPTS,
        allow=(_MEDIA,),
        title="Was this mouth drawn again?",
        result=result,
        words=OUTCOMES[result.outcome],
        strength=strength(result),
        serious=sum(caution.serious for caution in result.cautions),
        limit=SERIOUS_LIMIT,
        video_source=source,
        beside=quote(result.file.name),
        strip=_strip(judged.scan),
        mel=_mel(judged.heard, judged.scan),
        rows=[_row(face, result.file.seconds) for face in result.faces[:_FACES]],
        missing=_missing(result.not_judged),
        faces=[_face(face, judged.pictures, model) for face in result.faces[:_FACES] if face.windows],
        blind_spots=BLIND_SPOTS,
        quote=summary(result),
        facts=_facts(result),
    )
    files.write_text(path, text)


def strength(result: Result) -> list[str]:
    """The evidence in words and numbers, with the error rate that was measured for the threshold."""
    found, rates = result.evidence, result.error_rates
    if found.score is None:
        return []
    if rates is None:
        return [f"Score {number(found.score, 3)} between 0 (real) and 1 (forged).", *result.notes]
    ratio = 10**found.log10_likelihood_ratio
    likelier = f"{number(ratio)} times likelier" if ratio >= 1 else f"{number(1 / ratio)} times less likely"
    return [
        f"Such scores are {likelier} from a forgery of the known kinds than from a real video (as far as "
        f"{rates.videos} videos can tell).",
        f"Were {100 * rates.prior:.0f} % of such videos forged, this one would be with a probability of "
        f"{100 * found.probability:.0f} %; where forgeries are rarer, the probability is lower.",
        f"At its threshold the detector called {100 * rates.false_positive_rate:.1f} % of real videos forged "
        f"and missed {100 * rates.false_negative_rate:.1f} % of forgeries; on other material it errs more. "
        f"That was measured on {rates.videos} videos: {rates.data}.",
    ]


def summary(result: Result) -> str:
    """A short text to copy."""
    words = OUTCOMES[result.outcome]
    lines = [
        f"{result.file.name} (SHA-256 {result.file.sha256}): {words.title}. {words.meaning}",
        *strength(result),
        *(f"Warning: {caution.text} {caution.effect}" for caution in result.cautions),
        words.caveat,
        f"lipfd-jax {result.versions['lipfd-jax']}, checkpoint {result.checkpoint['fingerprint']}, "
        f"{result.finished}.",
    ]
    return "\n".join(lines)


def _face(face: FaceResult, pictures: tuple[Picture, ...], model: Model) -> dict[str, Any]:
    score = "not scored" if face.evidence.score is None else f"score {number(face.evidence.score, 3)}"
    follows = ""
    if face.sound_correlation is not None:
        follows = (
            f" The mouth's motion correlates with the sound's loudness by {number(face.sound_correlation)}."
        )
    whole = " (the picture as it is)" if face.finder == "none" else ""
    return {
        "title": f"Face {face.number}{whole}, {clock(face.start)} to {clock(face.end)}",
        "text": f"{OUTCOMES[face.outcome].title}: {score}, from {len(face.windows)} windows over "
        f"{number(face.judged_seconds, 1)} s.{follows}",
        "stretches": [
            {"start": s.start, "text": f"{clock(s.start)} to {clock(s.end)}, score {number(s.score)}"}
            for s in face.suspicions
        ],
        "chart": _chart(face, make_decision(model.metadata.calibration)),
        "missing": _missing(face.not_judged),
        "windows": [_window(p, model) for p in pictures if p.face == face.number - 1],
    }


def _chart(face: FaceResult, decision: Decision) -> Markup:
    """Window scores and their smoothed curve over time."""
    times = np.array([point.time for point in face.curve])
    low, high = float(face.start), max(float(face.end), face.start + 0.1)
    ticks = tuple(np.linspace(low, high, 5))
    threshold = decision.window_threshold
    scores = np.array([window.score for window in face.windows])
    return render_chart(
        Chart(
            title="Score over time",
            x=Axis("time", low, high, ticks, clock),
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


def _window(picture: Picture, model: Model) -> dict[str, Any]:
    composite, window = assemble_composite(picture.mel, picture.frames), picture.window
    made = build_example_view(
        ExampleWindow(composite, clock(window.start), 1, window.score, saliency=model.saliency(composite))
    )
    weights = ", ".join(
        f"{region} {100 * share:.0f} %" for region, share in zip(REGIONS, window.region_weights, strict=True)
    )
    return {
        "image": made.image,
        "overlay": made.overlay,
        "time": clock(window.start),
        "start": window.start,
        "score": number(window.score, 3),
        "weights": weights,
    }


def _row(face: FaceResult, seconds: float) -> dict[str, Any]:
    """A face's bar in the timeline: pieces with their place in per cent."""

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


def _missing(gaps: tuple[NotJudged, ...]) -> list[list[str]]:
    return [[clock(gap.start), clock(gap.end), gap.text] for gap in gaps]


def _strip(scan: Scan) -> str:
    """Some thumbnails side by side, evenly over the video."""
    wanted = np.linspace(float(scan.times[0]), scan.end, _STRIP, endpoint=False)
    times = np.array([thumbnail.time for thumbnail in scan.thumbnails])
    chosen = [int(np.argmin(np.abs(times - time))) for time in wanted]
    height, width = scan.thumbnails[0].picture.shape[:2]
    pictures = [cv2.resize(scan.thumbnails[i].picture, (width, height)) for i in chosen]
    return encode_data_uri(np.concatenate(pictures, axis=1), width=1600)


def _mel(heard: Heard | None, scan: Scan) -> str:
    """The sound's spectrogram over the video's time, low tones on top as in composites."""
    if heard is None or heard.columns < 2:
        return ""
    step = max(1, heard.columns // _MEL_COLUMNS)
    parts = [block[:, : block.shape[1] // step * step] for block in heard.blocks]
    power = np.concatenate([p.reshape(len(p), -1, step).mean(2) for p in parts if p.shape[1]], axis=1)
    picture = colour_mel(power)
    per_second = picture.shape[1] / max(heard.end - heard.start, 0.01)
    width = max(2, round((scan.end - scan.times[0]) * per_second))
    first = round((heard.start - scan.times[0]) * per_second)
    canvas = np.zeros((picture.shape[0], width, 3), np.uint8)
    a, b = max(first, 0), min(first + picture.shape[1], width)
    canvas[:, a:b] = picture[:, a - first : b - first]
    return encode_data_uri(canvas, width=1600)


def _facts(result: Result) -> list[tuple[str, str]]:
    file, checkpoint = result.file, result.checkpoint
    step = f", step {checkpoint['step']}" if checkpoint["step"] else ""  # a converted one has none
    model = f"{checkpoint['encoder']} + {checkpoint['backbone']}"
    sound = "none"
    if file.sound:
        sound = f"{file.sound['codec']}, {file.sound['rate']} Hz, {file.sound['channels']} channels"
    return [
        ("file", f"{file.name}, {file.bytes:,} bytes, {clock(file.seconds)}"),
        ("SHA-256", file.sha256),
        ("picture", f"{file.video['codec']}, {file.width}x{file.height}, {number(file.fps)} frames a second"),
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
