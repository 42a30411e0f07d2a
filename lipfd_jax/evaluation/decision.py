"""How scores become verdicts: pooled how, calibrated by what, called fake from where on."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration, logit
from lipfd_jax.evaluation.pooling import MEAN, Pooling
from lipfd_jax.vocabulary import THRESHOLD


@dataclass(frozen=True)
class Decision:
    """The way from windows' scores to a video's verdict."""

    pooling: Pooling = MEAN
    threshold: float = THRESHOLD  # a video whose score (calibrated, if so) is at least this is called fake
    chosen: str = "default"  # where the threshold comes from, in words
    calibration: Calibration | None = None

    @property
    def window_threshold(self) -> float:
        """The same threshold for windows, whose scores are never calibrated."""
        if self.calibration is None:
            return self.threshold
        if self.threshold in (0, 1):
            return float(self.threshold)
        line = self.calibration
        return float(1 / (1 + np.exp(-(logit(self.threshold) - line.intercept) / line.slope)))

    @property
    def at(self) -> str:
        """The threshold in words; with a calibration, that of windows too."""
        if self.calibration is None:
            return f"{self.threshold:.4g}"
        return f"{self.threshold:.4g} (windows: {self.window_threshold:.4g})"

    def __str__(self) -> str:
        """One line for a reader."""
        kind = f", calibrated ({self.calibration.kind})" if self.calibration else ""
        return f"{self.pooling}{kind}; fake from {self.threshold:.4g} on ({self.chosen})"


PLAIN = Decision()


def decide(
    calibration: Calibration | None = None, *, threshold: float | None = None, pooling: Pooling | None = None
) -> Decision:
    """What holds for one run: what the checkpoint's calibration says, where the run asks for nothing else.

    Raises ValueError for another pooling than the calibration was fitted for, or a threshold outside 0..1.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected a probability, 0..1")
    if calibration is None:
        chosen = "default" if threshold is None else "chosen for this run"
        return Decision(pooling or MEAN, THRESHOLD if threshold is None else threshold, chosen)
    fitted = Pooling(calibration.pooling, calibration.top)
    if pooling not in (None, fitted):
        raise ValueError(
            f"the checkpoint's calibration is of the {fitted}, not of the {pooling}; "
            "leave it out with --calibration=none, or fit another one"
        )
    if threshold is None:
        return Decision(fitted, calibration.threshold, calibration.threshold_choice, calibration)
    return Decision(fitted, threshold, "chosen for this run", calibration)
