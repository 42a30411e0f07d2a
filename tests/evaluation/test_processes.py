"""Two processes that share one evaluation, as people start it: the same scores as one process gives."""

import pytest

from lipfd_jax.evaluation.metrics.scores import read_scores
from tests.processes import free_port, start

pytestmark = pytest.mark.slow


def _start(checkpoint, data, output, *flags, **where):
    arguments = [f"--checkpoint={checkpoint}", f"--data={data}", f"--output={output}"]
    return start("evaluate.py", *arguments, "--batch_size=4", "--examples=1", "--draws=10", *flags, **where)


def _both(*arguments, flags=()):
    port = free_port()
    processes = [_start(*arguments, *flags, process=process, port=port) for process in range(2)]
    return [(process.communicate(timeout=240)[0], process.returncode) for process in processes]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    import dataclasses

    from flax import nnx

    from lipfd_jax.checkpoints.metadata import Metadata
    from lipfd_jax.checkpoints.store import save_model
    from lipfd_jax.models.inputs import RELEASED
    from lipfd_jax.models.lipfd import ModelConfig
    from tests.drawn import drawn

    inputs = dataclasses.replace(RELEASED, picture_size=80, crop_size=32)
    config = ModelConfig("vit_tiny", "resnet_tiny", inputs)
    path = tmp_path_factory.mktemp("checkpoint") / "model"
    weights = nnx.to_pure_dict(nnx.state(drawn(config)))
    save_model(path, weights, Metadata(model=config, window_convention="released", origin="a test"))
    return path


def test_two_processes_share_the_work(checkpoint, validation, tmp_path):
    found = _both(checkpoint, validation, tmp_path / "shared", flags=["--suite=controls"])
    assert [code for _, code in found] == [0, 0], found
    assert "report:" in found[0][0]
    assert "report:" not in found[1][0]
    alone = _start(checkpoint, validation, tmp_path / "alone")
    alone.communicate(timeout=240)
    assert alone.returncode == 0
    rows = [(tmp_path / name / "scores.csv").read_text().splitlines() for name in ("shared", "alone")]
    assert len(rows[0]) == len(rows[1]) == 7
    for ours, theirs in zip(*(map(str.split, side, [","] * 7) for side in rows), strict=True):
        assert ours[:2] + ours[3:] == theirs[:2] + theirs[3:]
        if ours[2] != "score":
            assert float(ours[2]) == pytest.approx(float(theirs[2]), abs=1e-5)
    plain, cells = read_scores(tmp_path / "alone" / "scores.csv"), tmp_path / "shared" / "controls"
    assert len(list(cells.glob("*.csv"))) > 5
    for cell in cells.glob("*.csv"):
        assert sorted(read_scores(cell).path) == sorted(plain.path)
    clean = read_scores(cells / "clean.csv")
    clean = dict(zip(clean.path, clean.score, strict=True))
    assert [clean[path] for path in plain.path] == pytest.approx(plain.score.tolist(), abs=1e-5)


def test_what_the_first_process_refuses_stops_both(checkpoint, composites, tmp_path):
    (tmp_path / "scores.csv").write_text("a diary\n")
    found = _both(checkpoint, composites, tmp_path)
    assert [code for _, code in found] == [1, 1], found
    assert all("no evaluated.json" in output for output, _ in found)
