"""Cross-validation: pools the scores of folds, in which every video is tested once."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores, ScoresError, read_scores
from lipfd_jax.evaluation.output_folder import SCORES_CSV, read_scores_identity
from lipfd_jax.evaluation.report.metrics_files import METRICS_JSON
from lipfd_jax.evaluation.suites.folder import locate_scores, read_identity, read_properties
from lipfd_jax.evaluation.suites.results import SUITES, SuiteIdentity, SuiteName, SuiteResult, write_result
from lipfd_jax.evaluation.suites.runner import SuiteScores
from lipfd_jax.evaluation.suites.suite import SUITE_DEFINITIONS, compute_suite
from lipfd_jax.perturbations.perturbation import CLEAN
from lipfd_jax.storage.checksums import hash_text

_Place = str | os.PathLike


def read_pooled_scores(places: Sequence[_Place]) -> Scores:
    """Reads the windows of several scores files, or folders of finished evaluations.

    Raises:
      ScoresError: a file can't be read, or two of them hold the same video.
      ValueError: the evaluation of a folder is not finished.
    """
    parts = [read_scores(_scores_file(place)) for place in places]
    found: dict[str, _Place] = {}
    for place, part in zip(places, parts, strict=True):
        for video in dict.fromkeys(part.video):
            if video in found:
                raise ScoresError(
                    f"{video} is in {found[video]} and in {place}: a video is to be tested once"
                )
            found[video] = place
    return join_scores(parts)


def join_scores(parts: Sequence[Scores]) -> Scores:
    """Concatenates scores."""
    columns = Scores.__dataclass_fields__
    return Scores(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns})


def describe_pooled_scores(places: Sequence[_Place], decision: Decision = DEFAULT_DECISION) -> dict[str, str]:
    """Notes about pooled scores: their origin, and the AUC within each part.

    Scores of several models are ranked together; where one model scores higher throughout, the pooled AUC
    is lower than those within the parts.
    """
    found = []
    for place in places:
        videos = pool_videos(read_scores(_scores_file(place)), decision.pooling, decision.calibration)
        found.append(compute_metrics(videos.label, videos.score).auc)
    names = ", ".join(Path(place).name for place in places)
    shown = ", ".join("one class" if auc is None else f"{auc:.3f}" for auc in found)
    known = [auc for auc in found if auc is not None]
    mean = f"; mean {np.mean(known):.3f}" if known else ""
    notes = {"scores": f"{names}, pooled", "AUC of videos within each": shown + mean}
    folders = [Path(place) for place in places if Path(place).is_dir()]
    weights = [read_scores_identity(folder).weights for folder in folders]
    if len(weights) == len(places):
        digest = hash_text(" ".join(weights), 16)
        notes["weights"] = f"{digest}, of {len(set(weights))} checkpoints: {', '.join(weights)}"
    return notes


def pool_suites(
    places: Sequence[_Place],
    output: _Place,
    *,
    weights: str,
    decision: Decision = DEFAULT_DECISION,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
) -> list[SuiteResult]:
    """Results of each suite that all folders hold, also written into `output` as NAME.json.

    Perturbations that one of them lacks are missing. `weights` is the pooled result's fingerprint. Raises
    ValueError where suites of one name were run on different things.
    """
    folders = [Path(place) for place in places]
    Path(output).mkdir(parents=True, exist_ok=True)
    pooled = []
    for name in SUITES:
        held = [folder / name for folder in folders]
        if all(locate_scores(folder, CLEAN.name).exists() for folder in held):
            identity = replace(_merge_identities(held), weights=weights)
            pooled.append(compute_suite(name, _pool_scores(name, held), identity, decision, bootstrap))
            write_result(output, pooled[-1])
    return pooled


def _scores_file(place: _Place) -> Path:
    folder = Path(place)
    if not folder.is_dir():
        return folder
    if not (folder / METRICS_JSON).exists():
        raise ValueError(
            f"{folder}: no finished evaluation, {METRICS_JSON} is missing; the same command resumes it"
        )
    return folder / SCORES_CSV


def _pool_scores(name: SuiteName, held: Sequence[Path]) -> SuiteScores:
    scores, missing = {}, {}
    for one in (CLEAN, *SUITE_DEFINITIONS[name].perturbations):
        found = [locate_scores(folder, one.name) for folder in held]
        if all(file.exists() for file in found):
            scores[one.name] = join_scores([read_scores(file) for file in found])
        else:
            missing[one.name] = "not made in every part"
    return SuiteScores(scores, missing, [row for folder in held for row in read_properties(folder)])


def _merge_identities(held: Sequence[Path]) -> SuiteIdentity:
    """Identity of all parts' suites, with all their records; the weights are the first one's."""
    found = [read_identity(folder) for folder in held]
    for key in ("on", "precision"):
        values = {getattr(one, key) for one in found}
        if len(values) > 1:
            raise ValueError(f"{held[0].name}: of {' and '.join(map(str, values))}, which can't be pooled")
    return replace(found[0], records=", ".join(one.records for one in found))
