"""The model card: everything named, one row a line, nothing from data able to break out of its cell."""

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.report.model_card import write_model_card
from lipfd_jax.models.lipfd import ModelConfig


def test_card(tmp_path):
    rows = [
        ScoreRow(
            path=f"{('0_real', '1_fake')[i % 2]}/{i}_0.png",
            label=i % 2,
            score=float(np.clip(0.2 + 0.5 * (i % 2) + 0.02 * i, 0, 1)),
            video=f"{('0_real', '1_fake')[i % 2]}/{i}",
            source=str(i),
        )
        for i in range(12)
    ]
    metadata = Metadata(
        ModelConfig("vit_tiny", "resnet_tiny"),
        "paper",
        step=7,
        origin="trained here",
        experiment={
            "seed": 3,
            "data": {"path": "/home/somebody/data/records"},
            "model": {"encoder": "vit_tiny"},
            "loss": {"region_weight": 0.5},
        },
        records={"training": {"sum": "abc", "words": "split 'train' of <b>"}},
    )
    notes = {"data": "evil | <script>\n# heading", "weights": "f00d"}
    suites = {"controls": "Nothing can be said."}
    path = write_model_card(
        tmp_path,
        notes=notes,
        metadata=metadata,
        summary=summarise_scores(Scores.from_rows(rows)),
        suites=suites,
    )
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "| data | evil / &lt;script&gt; # heading |" in lines
    for line in (
        "| weights | f00d |",
        "| seed | 3 |",
        "| loss.region_weight | 0.5 |",
        "| data.path | data/records |",
        "| TP | 6 | 6 |",
        "* controls: Nothing can be said.",
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith("| encoder")]
    assert any(line.startswith("| AUC | 1.0000 [1.0000") for line in lines)
    assert any(line.startswith("| EER, threshold there | 0.") for line in lines)
    assert any(line.startswith("Warning: intervals are too narrow") for line in lines)
    assert "| records of training | split 'train' of &lt;b&gt; (sum abc) |" in lines
    assert "mean of a video's windows; fake from 0.5 on (default)." in lines
