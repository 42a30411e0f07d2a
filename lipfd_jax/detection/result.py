"""What is known of a video after it was judged; as JSON, the file result.json."""

import dataclasses
import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import Any

from lipfd_jax.detection.texts import OUTCOMES, REASONS, Outcome

SCHEMA = 1  # rises with every change that a reader of result.json could stumble over


@dataclass(frozen=True)
class WindowScore:
    """One scored window."""

    start: float  # seconds from the video's first frame
    end: float
    start_frame: int
    score: float  # the model's probability of a fake, before any calibration
    region_weights: tuple[float, float, float]  # shares of head, face and lip, mean of its five frames
    square: tuple[float, float, float] | None  # left, top, side in pixels; None: the whole picture
    refined: bool  # added around a suspicion; not part of the face's score


@dataclass(frozen=True)
class CurvePoint:
    """A point of a face's smoothed curve."""

    time: float  # seconds from the video's first frame
    score: float


@dataclass(frozen=True)
class Suspicion:
    """A stretch whose smoothed score is at or above the threshold."""

    start: float  # seconds from the video's first frame
    end: float
    score: float  # highest smoothed score in it


@dataclass(frozen=True)
class NotJudged:
    """A stretch that was not judged."""

    start: float  # seconds from the video's first frame
    end: float
    reason: str  # a key of words.REASONS
    text: str


@dataclass(frozen=True)
class Evidence:
    """What scores come to. All None where nothing was scored; the last two also without a calibration."""

    score: float | None  # pooled over windows, before any calibration
    log10_likelihood_ratio: float | None  # for a forgery against a real video, capped
    probability: float | None  # calibrated, for the calibration's prior


@dataclass(frozen=True)
class FaceResult:
    """One face in one shot."""

    number: int  # from 1; the face whose mouth follows the sound best comes first
    start: float  # seconds from the video's first frame
    end: float
    judged_seconds: float
    finder: str
    outcome: Outcome
    evidence: Evidence
    windows: tuple[WindowScore, ...]
    curve: tuple[CurvePoint, ...]
    suspicions: tuple[Suspicion, ...]
    not_judged: tuple[NotJudged, ...]
    sound_correlation: float | None  # of the mouth's motion with loudness; None where not measurable


@dataclass(frozen=True)
class Caution:
    """A warning that applies."""

    key: str  # of words.WARNINGS
    text: str
    effect: str
    serious: bool


@dataclass(frozen=True)
class ErrorRates:
    """How often the threshold errs, and where that was measured."""

    threshold: float  # calibrated probability
    false_positive_rate: float
    false_negative_rate: float
    data: str
    videos: int
    prior: float


@dataclass(frozen=True)
class FileFacts:
    """The file that was judged."""

    name: str
    sha256: str
    bytes: int
    seconds: float
    frames: int
    width: int  # as shown
    height: int
    fps: float
    container: str
    video: dict[str, Any]  # codec, pixel format, bit rate
    sound: dict[str, Any] | None  # codec, rate, channels, bit rate; file and its sum where it is apart


@dataclass(frozen=True)
class Result:
    """The result of one video."""

    outcome: Outcome
    evidence: Evidence
    error_rates: ErrorRates | None  # None without a calibration
    faces: tuple[FaceResult, ...]
    not_judged: tuple[NotJudged, ...]  # stretches in which no face was judged
    cautions: tuple[Caution, ...]
    notes: tuple[str, ...]  # in words, what bounds the outcome
    file: FileFacts
    checkpoint: dict[str, Any]  # path, fingerprint, origin, inputs, windows, step, calibration
    settings: dict[str, Any]
    versions: dict[str, str]
    command: tuple[str, ...]
    started: str  # UTC, ISO 8601
    finished: str
    timing: dict[str, float]  # seconds by part
    identity: str  # the same for the same file, checkpoint and settings

    @property
    def title(self) -> str:
        """The outcome in words."""
        return OUTCOMES[self.outcome].title

    @property
    def score(self) -> float | None:
        """The video's score."""
        return self.evidence.score

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema's version and the outcome in words."""
        words = OUTCOMES[self.outcome]._asdict()
        return {"schema": SCHEMA, "words": words, **_finite(dataclasses.asdict(self))}


def schema() -> dict[str, Any]:
    """The JSON schema of result.json."""
    text = resources.files("lipfd_jax.detection").joinpath("result.schema.json").read_text("utf-8")
    return json.loads(text)


def not_judged(start: float, end: float, reason: str) -> NotJudged:
    """A stretch with its reason in words."""
    return NotJudged(round(start, 3), round(end, 3), reason, REASONS[reason])


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
