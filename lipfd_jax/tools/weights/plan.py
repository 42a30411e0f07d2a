"""What the weights are made of, where each stage leaves its files, and how they are calibrated."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lipfd_jax.evaluation.calibration import CalibrationSettings
from lipfd_jax.evaluation.cross_validation import join_scores
from lipfd_jax.evaluation.metrics.scores import Scores, read_scores
from lipfd_jax.storage.files import write_json
from lipfd_jax.tools.weights.runs import SCORES
from lipfd_jax.training.config import Experiment

CALIBRATION = CalibrationSettings(target_fpr=0.05)


@dataclasses.dataclass(frozen=True)
class WeightsPlan:
    """What the weights are made of, and where."""

    media: tuple[Path, ...]  # folders of videos with a clips.csv
    work: Path  # everything in between: records, runs, scores
    recipe: Experiment
    seeds: tuple[int, ...] = (0, 1, 2)
    folds: int = 3
    jobs: int = 2  # runs at once, each on its share of the cores

    @property
    def sets(self) -> tuple[Path, ...]:
        """The data_dir of each folder's clip records."""
        return tuple(self.work / f"clips{number}" for number in range(len(self.media)))

    @property
    def mean(self) -> str:
        """Folder of the averaged checkpoint and of its scores, named by its seeds."""
        return "mean" + "-".join(map(str, self.seeds))

    @property
    def checkpoint(self) -> Path:
        """The finished checkpoint."""
        return find_folder(self, None) / self.mean / "checkpoint"


def describe_plan(plan: WeightsPlan, digests: Sequence[str]) -> dict[str, Any]:
    """Returns all that decides the runs, as plain values; `digests` are those of the sets of records."""
    return {
        "records": list(digests),
        "recipe": plan.recipe.to_dict(),
        "folds": plan.folds,
        "seeds": list(plan.seeds),
    }


def check_plan(plan: WeightsPlan, digests: Sequence[str]) -> None:
    """Writes plan.json into the work folder, or compares with the one there.

    Raises:
      ValueError: the folder holds the runs of another plan; seeds may be added to one.
    """
    path, asked = plan.work / "plan.json", json.loads(json.dumps(describe_plan(plan, digests)))
    if path.exists():
        found = json.loads(path.read_text())
        changed = [name for name in asked if name != "seeds" and asked[name] != found.get(name)]
        if changed:
            raise ValueError(
                f"{path}: the runs beside it have other {', '.join(changed)}; choose another --work, or "
                "remove that folder"
            )
    write_json(path, asked)


def read_out_of_fold(plan: WeightsPlan, name: str) -> Scores:
    """Returns the scores of all clips by the checkpoints `name` of the folds that left them out.

    Args:
      name: `plan.mean`, or "seed0" and so on.
    """
    places = [find_folder(plan, fold) / name / SCORES for fold in range(plan.folds)]
    return join_scores([read_scores(place) for place in places])


def find_folder(plan: WeightsPlan, fold: int | None) -> Path:
    """Returns the folder of the runs that leave a fold out; for None of those on all clips."""
    return plan.work / ("all" if fold is None else f"fold{fold}")


def find_names(plan: WeightsPlan, fold: int) -> Path:
    """Returns the file that names the sources of a fold."""
    return plan.work / f"fold{fold}.txt"
