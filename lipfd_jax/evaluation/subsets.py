"""Parts of the scores that are worth figures of their own: by generator, by range of ids, by source."""

import numpy as np

from lipfd_jax.evaluation.scores import Scores

ID_LIMITS = (3028,)  # AVLips: the official validation set has no id above it
UNKNOWN_GENERATOR = "(unknown)"


def generator_scores(scores: Scores) -> dict[str, Scores]:
    """For each generator its fakes together with *all* real windows; empty where no generator is known.

    Fakes without one stand under "" if others have one. Real windows belong to no generator.
    """
    fake = scores.label == 1
    names = sorted(set(scores.generator[fake]))
    if not any(names):
        return {}
    return {name: scores.select(~fake | (scores.generator == name)) for name in names}


def id_range_scores(scores: Scores, limits: tuple[int, ...] = ID_LIMITS) -> dict[str, Scores]:
    """Windows by the number that is their source, as AVLips names them: "0-3028", "from 3029".

    Empty where a source is not a number, or all lie in one range.
    """
    if not len(scores) or not all(name.isascii() and name.isdigit() for name in scores.source):
        return {}
    part = np.searchsorted(limits, [int(name[:18]) for name in scores.source])
    starts = (0, *(limit + 1 for limit in limits))
    names = [f"{start}-{end}" for start, end in zip(starts, limits, strict=False)] + [f"from {starts[-1]}"]
    found = {name: scores.select(part == number) for number, name in enumerate(names)}
    found = {name: one for name, one in found.items() if len(one)}
    return found if len(found) > 1 else {}


def source_scores(scores: Scores) -> dict[str, Scores]:
    """Windows by source: the group of videos that share footage or a person."""
    order = np.argsort(scores.source, kind="stable")
    names, starts = np.unique(scores.source[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {str(name): scores.select(np.sort(part)) for name, part in zip(names, parts, strict=False)}
