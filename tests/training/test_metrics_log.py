"""The log of a run: lines, cutting back, half-written lines, the picture."""

import errno

import pytest

from lipfd_jax.storage import files
from lipfd_jax.training import metrics_log
from lipfd_jax.training.metrics_log import MetricsLog


@pytest.fixture
def workdir(tmp_path):
    log = MetricsLog(tmp_path)
    for step in (1, 2, 3):
        log.write(step, loss=1.0 / step, validation_auc=0.5)
    log.close()
    return tmp_path


def test_lines_come_back(workdir):
    assert [line["step"] for line in metrics_log.read_log(workdir)] == [1, 2, 3]
    assert metrics_log.read_log(workdir)[1]["loss"] == 0.5


def test_opening_at_a_step_cuts_what_came_later(workdir):
    log = MetricsLog(workdir, step=2)
    log.write(3, loss=9.0)
    assert [(line["step"], line["loss"]) for line in metrics_log.read_log(workdir)] == [
        (1, 1.0),
        (2, 0.5),
        (3, 9.0),
    ]


def test_a_line_cut_short_by_a_kill_is_left_out(workdir):
    path = workdir / metrics_log.FILE
    path.write_bytes(path.read_bytes()[:-20])
    assert [line["step"] for line in metrics_log.read_log(workdir)] == [1, 2]
    log = MetricsLog(workdir, step=2)
    log.write(3, loss=1.0)
    assert [line["step"] for line in metrics_log.read_log(workdir)] == [1, 2, 3]


@pytest.mark.parametrize("damage", [b"\xff", b"[1]", b'{"stap": 2}'])
def test_a_damaged_line_is_left_out_and_named(workdir, caplog, damage):
    path = workdir / metrics_log.FILE
    first, _, third = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, damage, third]) + b"\n")
    assert [line["step"] for line in metrics_log.read_log(workdir)] == [1, 3]
    assert "metrics.jsonl: line 2 is damaged" in caplog.text


def test_other_processes_write_nothing(tmp_path):
    MetricsLog(tmp_path, writes=False).write(1, loss=1.0)
    assert not list(tmp_path.iterdir())


def test_curves_are_drawn(workdir):
    assert metrics_log.draw_curves(workdir).read_bytes().startswith(b"\x89PNG")


def test_what_stood_there_stays_where_writing_fails(workdir, monkeypatch):
    before = {
        name: (workdir / name).read_bytes()
        for name in (metrics_log.FILE, metrics_log.draw_curves(workdir).name)
    }

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    for write in (lambda: MetricsLog(workdir, step=1), lambda: metrics_log.draw_curves(workdir)):
        with pytest.raises(OSError, match="No space left"):
            write()
    assert {name: (workdir / name).read_bytes() for name in before} == before
    assert not list(workdir.glob(".*"))
