"""Result of a detection, and its JSON form, result.json.

A new field is added to a dataclass here, with a comment that becomes its description in the schema, and
filled where that class is made: `Result` and `FaceResult` in detect.py, `FileFacts` in provenance.py,
`Evidence` in verdict.py, `WindowScore` in scoring.py. The committed schema is then generated again:

    python -m lipfd_jax.tools.schemas

An earlier result of the same file, checkpoint, settings, version of the package and `SCHEMA` is reused as it
is, so it lacks a field that was added since. Raising `SCHEMA` or the version of the package makes it again.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import Any

from lipfd_jax.detection.texts import OUTCOMES, REASONS, Outcome, OutcomeText, get_outcome_texts
from lipfd_jax.listing.names import escape_bytes

# Raised with every change after which a file may no longer be valid by the schema of before: a field added,
# removed or renamed, or one that changes its type or meaning. Not for a change of a description alone.
SCHEMA = 3


@dataclass(frozen=True)
class WindowScore:
    """One scored window."""

    start: float  # seconds from the video's first frame
    end: float
    start_frame: int
    score: float  # the model's probability of a fake, before any calibration
    region_weights: tuple[float, float, float]  # shares of head, face and lip, mean of its five frames
    square: tuple[float, float, float] | None  # left, top, side in pixels; None: the whole frame
    refined: bool  # added around a suspicion; not part of the face's score


@dataclass(frozen=True)
class CurvePoint:
    """A point of a face's smoothed curve."""

    time: float  # seconds from the video's first frame
    score: float


@dataclass(frozen=True)
class Suspicion:
    """A stretch whose smoothed score reaches the threshold."""

    start: float  # seconds from the video's first frame
    end: float
    score: float  # highest smoothed score in it
    peak_time: float  # middle of the window with the highest score in it, seconds from the first frame
    peak_score: float  # that window's score


@dataclass(frozen=True)
class Gap:
    """A stretch that was not scored."""

    start: float  # seconds from the video's first frame
    end: float
    reason: str  # a key of texts.REASONS
    text: str


@dataclass(frozen=True)
class Evidence:
    """Evidence of pooled scores. All None if nothing was scored; the last two also without a calibration."""

    score: float | None  # pooled over windows, before any calibration
    log10_likelihood_ratio: float | None  # forgery over real video, capped
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
    not_judged: tuple[Gap, ...]
    sound_correlation: float | None  # between the mouth's motion and loudness; None where not measurable


@dataclass(frozen=True)
class Caution:
    """A warning that applies."""

    key: str  # a key of texts.WARNINGS
    text: str
    effect: str
    serious: bool


@dataclass(frozen=True)
class ErrorRates:
    """Error rates at the threshold, and the data they were measured on."""

    threshold: float  # calibrated probability
    false_positive_rate: float
    false_negative_rate: float
    data: str
    videos: int
    sources_real: int  # number of sources, people or footage, of the real videos among them
    sources_fake: int
    prior: float


@dataclass(frozen=True)
class FileFacts:
    """The video file, and a separate sound file."""

    name: str
    sha256: str
    bytes: int
    seconds: float
    frames: int
    width: int  # as shown
    height: int
    fps: float
    container: str
    video: dict[str, Any]  # codec, pixel format, bit rate; number of the track among how many
    sound: dict[str, Any] | None  # likewise; rate, language, channels used; name and sum of a separate file


@dataclass(frozen=True)
class Result:
    """The result of one video."""

    outcome: Outcome
    evidence: Evidence
    error_rates: ErrorRates | None  # None without a calibration
    faces: tuple[FaceResult, ...]
    not_judged: tuple[Gap, ...]  # stretches in which no face was scored
    cautions: tuple[Caution, ...]
    notes: tuple[str, ...]  # limits of the outcome, in words
    file: FileFacts
    checkpoint: dict[str, Any]  # name, path, fingerprint, origin, inputs, windows, step, calibration
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
    def hears(self) -> bool:
        """Whether the score depends on the sound."""
        return self.checkpoint["encoder"] != "none"

    @property
    def words(self) -> OutcomeText:
        """Texts of the outcome, for what this detector looks at."""
        return get_outcome_texts(self.hears)[self.outcome]

    @property
    def score(self) -> float | None:
        """The video's score."""
        return self.evidence.score

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the schema's version and the outcome in words."""
        return {"schema": SCHEMA, "words": self.words._asdict(), **_make_valid(dataclasses.asdict(self))}


def load_schema() -> dict[str, Any]:
    """Reads the JSON schema of result.json."""
    text = resources.files("lipfd_jax.detection").joinpath("result.schema.json").read_text("utf-8")
    return json.loads(text)


def make_gap(start: float, end: float, reason: str) -> Gap:
    """Makes a gap with its reason in words; times are rounded to milliseconds."""
    return Gap(round(start, 3), round(end, 3), reason, REASONS[reason])


def _make_valid(value: Any) -> Any:
    """Plain values with None for NaN and infinity, and names as UTF-8, all that JSON has."""
    if isinstance(value, str):
        return escape_bytes(value)
    if isinstance(value, dict):
        return {str(key): _make_valid(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_make_valid(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
