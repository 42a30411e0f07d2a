"""Scores a validation split and stores the calibration fitted on it with the checkpoint."""

import dataclasses
import os

from lipfd_jax.checkpoints.calibration import Calibration, write_calibration
from lipfd_jax.data.sources import RecordSource
from lipfd_jax.evaluation.bootstrap import FEW
from lipfd_jax.evaluation.fitting import Fit, fit_calibration
from lipfd_jax.evaluation.folder import read_evaluated
from lipfd_jax.evaluation.run import DEFAULTS, Options, evaluate
from lipfd_jax.exporting.package import is_export
from lipfd_jax.processes import by_first


def calibrate(
    checkpoint: str,
    source: RecordSource,
    output: str | os.PathLike,
    *,
    step: int | None = None,
    fit: Fit,
    options: Options = DEFAULTS,
) -> Calibration | None:
    """Evaluates without calibration, as `evaluate` does, fits one on the scores and stores it.

    Returns it; None on processes other than the first.

    Raises:
      ValueError: an export, a test split, a threshold asked for, or scores that can't be calibrated; and as
        `evaluate`.
    """
    split = getattr(source, "split", "").split("[")[0]
    if split == "test":
        raise ValueError(
            f"{source}: a calibration fitted on the test split would be tested on itself; "
            "fit it on others, such as --split=validation"
        )
    if is_export(checkpoint):
        raise ValueError(
            f"{checkpoint}: an export keeps the calibration of the checkpoint it was made of; fit that one, "
            "then export it again"
        )
    if options.threshold is not None:
        raise ValueError(f"threshold={options.threshold}: fitting chooses it; give target_fpr instead")
    plain = dataclasses.replace(options, calibrated=False, pooling=fit.pooling)
    done = evaluate(checkpoint, source, output, step=step, options=plain)
    kept: list[Calibration] = []

    def store() -> None:
        held = read_evaluated(output)
        found = fit_calibration(
            done.scores, fit, weights=held.weights, data=held.data, data_fingerprint=held.records
        )
        write_calibration(held.checkpoint, found)
        print(f"\n{_told(found)}\nstored in {held.checkpoint}")
        kept.append(found)

    by_first(store)
    return kept[0] if kept else None


def _told(found: Calibration) -> str:
    few = min(found.sources_real, found.sources_fake)
    lines = [
        f"calibration ({found.kind}): logit of probability = {found.slope:.4g} x logit of score "
        f"{found.intercept:+.4g}",
        f"threshold {found.threshold:.4g} ({found.threshold_choice}): FPR {found.false_positive_rate:.4f}, "
        f"FNR {found.false_negative_rate:.4f}; too hopeful, as it was chosen on these videos",
        f"fitted on {found.videos:,} videos of {found.sources_real:,} real and {found.sources_fake:,} fake "
        f"sources: likelihood ratios are capped at {few:,}",
    ]
    if few < FEW:
        lines.append(f"warning: with fewer than {FEW} sources of a class it rests on little")
    return "\n".join(lines)
