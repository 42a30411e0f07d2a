"""Example windows of a report: their selection, and the captions of the page."""

from collections.abc import Sequence

import numpy as np

from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.pages.windows import ExampleView, ExampleWindow, build_example_view

_GROUPS = {
    (1, True): "Fakes called fake: right, surest first",
    (0, True): "Real called real: right, surest first",
    (1, False): "Fakes called real: missed, worst first",
    (0, False): "Real called fake: false alarms, worst first",
}


def choose_examples(scores: Scores, *, count: int = 2, threshold: float = 0.5) -> np.ndarray:
    """Positions in `scores` of the windows worth showing, int64.

    Of real and of fake windows the `count` most confidently right and the `count` most confidently wrong
    ones, each from another video where there are enough.
    """
    chosen: list[int] = []
    for label, right in _GROUPS:
        called = (scores.score >= threshold).astype(np.int64)
        group = np.flatnonzero((scores.label == label) & ((called == label) == right))
        group = group[np.argsort(-np.abs(scores.score[group] - threshold), kind="stable")]
        firsts = np.sort(np.unique(scores.video[group], return_index=True)[1])
        others = np.setdiff1d(np.arange(len(group)), firsts)
        chosen += group[np.concatenate([firsts, others])[:count]].tolist()
    return np.array(chosen, np.int64)


def group_examples(
    examples: Sequence[ExampleWindow], *, threshold: float = 0.5
) -> list[tuple[str, list[ExampleView]]]:
    """The examples in four groups (real or fake, right or wrong) with their headings, most confident first.

    Raises ValueError, naming the example, for images, weights or maps of a wrong form.
    """
    groups = []
    for (label, right), title in _GROUPS.items():
        group = [p for p in examples if p.label == label and ((p.score >= threshold) == label) == right]
        if group:
            group.sort(key=lambda example: -abs(example.score - threshold))
            groups.append((title, [build_example_view(example, threshold=threshold) for example in group]))
    return groups
