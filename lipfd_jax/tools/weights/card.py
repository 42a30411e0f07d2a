"""The model card of the weights that ship: what they reach beside what learns nothing, and their limits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lipfd_jax.detection.verdict import MODERATE
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP
from lipfd_jax.evaluation.metrics.pooling import VideoScores, pool_videos
from lipfd_jax.evaluation.suites.baselines import compute_baselines
from lipfd_jax.evaluation.suites.results import Baseline
from lipfd_jax.storage.files import write_json, write_text
from lipfd_jax.tools.weights import figures
from lipfd_jax.tools.weights.figures import Figures
from lipfd_jax.tools.weights.plan import CALIBRATION, WeightsPlan, read_out_of_fold

CARD = "MODEL_CARD.md"
_TEXT = """# {name}

The detector that ships with lipfd_jax: {backbone} on {regions} of faces at up to {side} pixels, trained on
pairs of real and forged windows. It looks at pictures; it does not hear.

* Trained on {videos} clips ({real} real, {fake} forged, of {sources} people or footages), of which nothing
  but these weights is in the package. Their owners and licences differ; the clips are not distributed.
* Recipe: the experiment `{experiment}`, {steps} steps of {pairs} pairs; {seeds}.

## What it reaches

Every clip below was scored by weights that saw neither its people nor the repository it comes from ({folds}
folds). Matched rank: the share of pairs of a real and a forged clip of one person or footage in which the
forged one scores higher, mean over groups, with its 95 % interval; 0.5 is guessing. An AUC over a
collection shows mostly who collected it: see what file properties alone reach.

| scores | clips | matched rank | groups | AUC |
|---|---|---|---|---|
{rows}

{alarms}

## Forgeries found, by generator

A clip counts as found where its likelihood ratio is 10 or more ('moderate evidence').

| generator | clips | found |
|---|---|---|
{generators}

## Limits

It knows the generators above, as far as it knows any; newer ones may leave no trace that it sees. Its
scores are evidence about pictures of faces, no proof. The calibration limits likelihood ratios by the
number of people it was fitted on.
"""


def write_card(plan: WeightsPlan, folds: Mapping[str, int]) -> None:
    """Writes MODEL_CARD.md and figures.json into the plan's checkpoint."""
    names = [f"seed{seed}" for seed in plan.seeds]
    scores = {name: read_out_of_fold(plan, name) for name in [plan.mean, *(names if len(names) > 1 else [])]}
    videos = {name: pool_videos(one) for name, one in scores.items()}
    rows = [figures.figures_of(_say(name, len(names)), one) for name, one in videos.items()]
    rows += _compare_sets(plan, videos[plan.mean])
    baselines = _measure_baselines(plan, videos[plan.mean])
    ratios = figures.cross_calibrate(scores[plan.mean], folds, CALIBRATION)
    _write(plan, plan.checkpoint / CARD, videos[plan.mean], rows, baselines, ratios)
    write_json(plan.checkpoint / "figures.json", [_to_json(row) for row in rows])


def _say(name: str, seeds: int) -> str:
    if seeds == 1:
        return "the detector"
    return "mean of the seeds' weights" if name.startswith("mean") else name.replace("seed", "seed ")


def _compare_sets(plan: WeightsPlan, videos: VideoScores) -> list[Figures]:
    """Figures of each value of the column `set`, where clips.csv has one."""
    values = figures.read_column(plan.media, "set")
    each = np.array([values.get(str(video), "") for video in videos.video])
    return [
        figures.figures_of(f"... {value} alone", videos, each == value) for value in sorted(set(each) - {""})
    ]


def _measure_baselines(plan: WeightsPlan, videos: VideoScores) -> tuple[Baseline, ...]:
    rows = figures.measure_rows(plan.media, plan.sets, [str(video) for video in videos.video])
    return compute_baselines(rows, DEFAULT_BOOTSTRAP)


def _write(
    plan: WeightsPlan,
    path: Path,
    videos: VideoScores,
    rows: list[Figures],
    baselines: tuple[Baseline, ...],
    ratios: np.ndarray,
) -> None:
    inputs, real = plan.recipe.model.inputs, videos.label == 0
    found = ratios >= MODERATE
    generators = figures.rate_generators(videos, found)
    text = _TEXT.format(
        name="lipfd:small",
        backbone=plan.recipe.model.backbone,
        regions=" and ".join(inputs.regions),
        side=inputs.face_side,
        videos=len(videos.label),
        real=int(real.sum()),
        fake=int((~real).sum()),
        sources=len(set(videos.source)),
        experiment=plan.recipe.name,
        steps=plan.recipe.steps,
        pairs=plan.recipe.batch_size // 2,
        seeds="one seed" if len(plan.seeds) == 1 else f"mean of the weights of {len(plan.seeds)} seeds",
        folds=plan.folds,
        rows="\n".join([*map(_format_row, rows), *map(_format_baseline, baselines)]),
        alarms=_describe_alarms(real, found),
        generators="\n".join(f"| {name} | {count} | {hits} |" for name, count, hits in generators),
    )
    write_text(path, text)


def _describe_alarms(real: np.ndarray, found: np.ndarray) -> str:
    alarms, people = int(found[real].sum()), int(real.sum())
    hits, forged = int(found[~real].sum()), int((~real).sum())
    return (
        f"With calibrations fitted on other folds, {alarms} of {people} real clips ({alarms / people:.1%}) "
        f"and {hits} of {forged} forged ones ({hits / forged:.1%}) got 'moderate evidence' or more."
    )


def _format_row(row: Figures) -> str:
    rank = row.matched_rank
    shown = "-" if rank.value is None else f"{rank.value:.3f} {_format_interval(rank.interval)}"
    auc = "-" if row.auc is None else f"{row.auc:.3f} {_format_interval(row.auc_interval)}"
    return f"| {row.name} | {row.videos} | {shown} | {rank.groups} | {auc} |"


def _format_baseline(row: Baseline) -> str:
    rank = (
        "-"
        if row.matched_rank is None
        else f"{row.matched_rank:.3f} {_format_interval(row.matched_rank_interval)}"
    )
    auc = "-" if row.auc is None else f"{row.auc:.3f} {_format_interval(row.auc_interval)}"
    return f"| nothing learnt: {row.name} | | {rank} | | {auc} |"


def _format_interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"[{ends[0]:.3f}, {ends[1]:.3f}]"


def _to_json(row: Figures) -> dict:
    rank = row.matched_rank
    return {
        "name": row.name,
        "videos": row.videos,
        "matched_rank": rank.value,
        "matched_rank_interval": rank.interval,
        "groups": rank.groups,
        "auc": row.auc,
        "auc_interval": row.auc_interval,
    }
