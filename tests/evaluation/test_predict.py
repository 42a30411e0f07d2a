"""Scoring records: what is computed is told before more is, and how batches are cut doesn't tell."""

import numpy as np
import pytest

from lipfd_jax.data.sources import open_source
from lipfd_jax.evaluation.predict import collect_scores, predict_records


@pytest.mark.parametrize(("first", "sizes"), [(None, [8, 8]), (8, [8, 8]), (2, [2, 6, 8])])
def test_scores_come_before_the_next_ones_are_computed(composites, first, sizes):
    seen, told = [], []

    def forward(batch):
        seen.append(len(batch))
        return np.asarray(batch, np.float32).mean((1, 2, 3)) / 255, np.ones((len(batch), 5, 3), np.float32)

    def predictions():
        for prediction in predict_records(forward, source, batch_size=8, first=first):
            told.append(len(seen))
            yield prediction

    source = open_source(str(composites))
    scores = collect_scores(predictions())
    assert seen == sizes
    assert told == list(range(1, len(sizes) + 1))
    assert len(set(scores.path)) == len(source) == 12
