"""Calibration from video scores to probabilities, fitted on known videos; stored in a checkpoint's folder."""

import dataclasses
import datetime
import json
import math
import os
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from etils import epath

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.fingerprints import json_checksum
from lipfd_jax.storage import files

FILE = "calibration.json"  # inside the checkpoint's folder
VERSION = 1

Kind = Literal["temperature", "platt"]  # a temperature has no intercept

_CLOSEST = 1e-7  # distance to 0 and 1 at which scores are clipped; float32 near 1 has no finer steps


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Linear map from the logit of a pooled score to the logit of a probability, and its provenance.

    Raises:
      ValueError: a value is impossible; the message names it.
    """

    kind: Kind
    slope: float  # above zero
    intercept: float
    pooling: str  # a name in metrics.pooling.POOLINGS, checked in use
    top: int | None  # for topk: number of highest windows that are averaged
    threshold: float  # a video with at least this calibrated probability counts as fake
    threshold_choice: str  # description: "equal error rate", "false positive rate 0.01"
    prior: float  # share of fakes that the calibrated probability assumes
    data: str  # description of the videos it was fitted on
    data_fingerprint: str  # fingerprint of these videos' records
    videos: int
    sources_real: int  # number of sources among these videos, by class
    sources_fake: int
    false_positive_rate: float  # on these videos, at the threshold
    false_negative_rate: float
    weights: str  # fingerprint of the weights whose scores were fitted
    date: str  # YYYY-MM-DD

    def __post_init__(self):
        problems = [
            f"{name}={getattr(self, name)!r}, expected {expected}"
            for name, expected, good in _expectations(self)
            if not good
        ]
        if problems:
            raise ValueError("calibration: " + "; ".join(problems))

    def to_json(self) -> dict[str, Any]:
        """Returns plain strings and numbers, with a checksum that reveals damage."""
        values = {"version": VERSION, **dataclasses.asdict(self)}
        return {**values, "sum": json_checksum(values)}

    @classmethod
    def from_json(cls, values: Any, path: Any = FILE) -> "Calibration":
        """Reads the output of `to_json`; raises CheckpointError, with the file's name, for anything else."""
        if not isinstance(values, Mapping) or values.get("version") != VERSION:
            raise CheckpointError(f"{path}: not a calibration of version {VERSION}; {REMEDY}")
        fields = {name: value for name, value in values.items() if name != "sum"}
        if values.get("sum") != json_checksum(fields):
            raise CheckpointError(f"{path}: damaged or edited by hand: its checksum does not match; {REMEDY}")
        try:
            return cls(**{name: value for name, value in fields.items() if name != "version"})
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: not a calibration ({error}); {REMEDY}") from error

    def probability(self, scores: np.ndarray | float) -> np.ndarray:
        """Returns calibrated probabilities of a fake, float64, for pooled video scores (any shape, 0..1)."""
        return 1 / (1 + np.exp(-self._logits(scores)))

    def log10_likelihood_ratio(self, scores: np.ndarray | float) -> np.ndarray:
        """Returns log10 of the likelihood ratio, fake over real, of such scores; float64.

        The odds of the calibrated probability over the odds of the prior, limited by the number of sources of
        the smaller class: fewer videos than that cannot show a rarer score.
        """
        ratio = (self._logits(scores) - math.log(self.prior / (1 - self.prior))) / math.log(10)
        limit = math.log10(min(self.sources_real, self.sources_fake))
        return np.clip(ratio, -limit, limit)

    def _logits(self, scores: np.ndarray | float) -> np.ndarray:
        return self.slope * logit(scores) + self.intercept


def logit(scores: np.ndarray | float) -> np.ndarray:
    """Returns log(p / (1 - p)) of scores, float64; scores within 1e-7 of 0 or 1 are clipped to that distance.

    Raises:
      ValueError: a score is not a number from 0 to 1.
    """
    p = np.asarray(scores, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"scores must be from 0 to 1, got {p[~((p >= 0) & (p <= 1))].flat[0]}")
    p = np.clip(p, _CLOSEST, 1 - _CLOSEST)
    return np.log(p) - np.log1p(-p)


def write_calibration(checkpoint: str | os.PathLike, calibration: Calibration) -> None:
    """Stores a calibration in a checkpoint's folder atomically, replacing an existing one."""
    files.write_json(epath.Path(checkpoint) / FILE, calibration.to_json())


def read_calibration(checkpoint: str | os.PathLike) -> Calibration | None:
    """Returns the calibration in a checkpoint's folder; None if there is none.

    Raises:
      CheckpointError: it is damaged, or not a calibration.
    """
    path = epath.Path(checkpoint) / FILE
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text())
    except ValueError as error:  # includes bytes that are not UTF-8
        raise CheckpointError(f"{path}: not readable as JSON ({error}); {REMEDY}") from error
    return Calibration.from_json(values, path)


REMEDY = f"remove {FILE} to use the checkpoint without a calibration, or fit it again"


def _expectations(c: Calibration) -> list[tuple[str, str, bool]]:
    """Returns (field, expected value, whether it holds)."""

    def number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
        return type(value) in (int, float) and math.isfinite(value) and low <= value <= high

    def count(value: Any) -> bool:
        return type(value) is int and value > 0

    strings = ("threshold_choice", "data", "data_fingerprint", "weights")
    return [
        ("kind", f"one of {', '.join(get_args(Kind))}", c.kind in get_args(Kind)),
        ("slope", "a number above 0", number(c.slope) and c.slope > 0),
        ("intercept", "a number", number(c.intercept)),
        ("intercept", "0 for a temperature", c.kind != "temperature" or c.intercept == 0),
        ("pooling", "the name of a pooling", isinstance(c.pooling, str) and c.pooling.isidentifier()),
        ("top", "a number of windows for topk, else None", count(c.top) == (c.pooling == "topk")),
        *((name, "from 0 to 1", number(getattr(c, name), 0, 1)) for name in _RATES),
        ("prior", "above 0 and below 1", number(c.prior) and 0 < c.prior < 1),
        *((name, "above 0", count(getattr(c, name))) for name in _COUNTS),
        *((name, "a string", isinstance(getattr(c, name), str)) for name in strings),
        ("date", "YYYY-MM-DD", _is_date(c.date)),
    ]


_RATES = ("threshold", "false_positive_rate", "false_negative_rate")
_COUNTS = ("videos", "sources_real", "sources_fake")


def _is_date(value: Any) -> bool:
    try:
        return datetime.date.fromisoformat(value).isoformat() == value
    except (TypeError, ValueError):
        return False
