"""Scores files: what is read, what is derived, what is refused, and how an interrupted file continues."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.scores import (
    COLUMNS,
    ScoreRow,
    Scores,
    ScoresError,
    ScoresWriter,
    read_scores,
)


def _row(name: str, window: int, score: float, label: int = 1, **options) -> ScoreRow:
    video = f"{('0_real', '1_fake')[label]}/{name}"
    return ScoreRow(
        path=f"{video}_{window}.png",
        label=label,
        score=score,
        video=video,
        source=name,
        window=window,
        **options,
    )


def _file(folder, text: str):
    file = folder / "scores.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_three_columns_are_enough(tmp_path):
    file = _file(tmp_path, "path,label,score\n./val/0_real/a_b_12.png,0,0.25\nC:\\val\\1_fake\\7_0.png,1,1\n")
    scores = read_scores(file)
    assert scores.video.tolist() == ["0_real/a_b", "1_fake/7"]
    assert scores.source.tolist() == ["a_b", "7"]
    assert scores.window.tolist() == [12, 0]
    assert scores.start_frame.tolist() == [-1, -1]
    assert scores.generator.tolist() == ["", ""]
    assert scores.label.tolist() == [0, 1]
    assert scores.score.tolist() == [0.25, 1.0]


def test_given_columns_win_and_unknown_ones_are_ignored(tmp_path):
    text = "\ufeffscore, label,path,source,generator,start_frame,remark,video,window\n"
    text += "0.5,1.0,some window,talk,Wav2Lip,40,x,1_fake/a,3\n\n0.5,1,1_fake/a_4.png,,,,,,\n"
    scores = read_scores(_file(tmp_path, text))
    assert scores.source.tolist() == ["talk", "a"]
    assert scores.video.tolist() == ["1_fake/a", "1_fake/a"]
    assert scores.generator.tolist() == ["Wav2Lip", ""]
    assert scores.start_frame.tolist() == [40, -1]
    assert scores.window.tolist() == [3, 4]


def test_official_file(golden):
    scores = read_scores(golden / "official_val_scores.csv")
    assert len(scores) == 3406
    assert len(set(scores.video)) == 838


HEADER = "path,label,score\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["line 1", "missing column path, label, score"]),
        ("path,score\n0_real/1_0.png,0.5\n", ["line 1", "missing column label"]),
        ("path,label,score,score\n", ["line 1", "score appears twice"]),
        (HEADER + "0_real/1_0.png,0,0.5\n0_real/1_1.png,0,high\n", ["line 3, column score", "'high'"]),
        (HEADER + "0_real/1_0.png,0,nan\n", ["line 2, column score", "NaN"]),
        (HEADER + "0_real/1_0.png,0,inf\n", ["line 2, column score", "outside 0..1"]),
        (HEADER + "0_real/1_0.png,0,-3.1\n", ["line 2, column score", "outside 0..1", "logits"]),
        (HEADER + "0_real/1_0.png,0,\n", ["line 2, column score", "''"]),
        (HEADER + "0_real/1_0.png,2,0.5\n", ["line 2, column label", "'2'"]),
        (HEADER + "0_real/1_0.png,fake,0.5\n", ["line 2, column label", "'fake'"]),
        (HEADER + "0_real/1_0.png,1,0.5\n", ["line 2, column label", "class 0_real"]),
        (HEADER + "a/1_0.png,0,0.5\nb/1_0.png,1,0.5\na/1_1.png,1,0.5\n", ["line 4, column label", "line 2"]),
        (HEADER + "0_real/1_0.png,0,0.5\n\n0_real/1_0.png,0,0.5\n", ["line 4", "already", "line 2"]),
        (HEADER + "x/0_real/1_0.png,0,0.5\ny/0_real/1_0.png,0,0.6\n", ["line 3", "already", "line 2"]),
        (HEADER + "0_real/1_0.png,0\n", ["line 2", "2 cells", "3 columns"]),
        (HEADER + "window 7,0,0.5\n", ["line 2, column video, source, window", "'window 7'"]),
        ("path,label,score,window\n0_real/1_0.png,0,0.5,x\n", ["line 2, column window", "'x'"]),
        (HEADER + '"0_real/1_0.png,0,0.5\n', ["not readable as CSV"]),
        (b"\xff\xfe\x00\x01\n", ["UTF-8"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["UTF-8"]),
    ],
)
def test_refused(tmp_path, text, expected):
    file = _file(tmp_path, text)
    with pytest.raises(ScoresError) as error:
        read_scores(file)
    for part in [str(file), *expected]:
        assert part in str(error.value)


def test_long_cells_do_not_widen_columns(tmp_path):
    rows = "".join(f"0_real/{i}_0.png,0,0.5\n" for i in range(1000))
    scores = read_scores(_file(tmp_path, HEADER + rows + f"0_real/{'x' * 100_000}_0.png,0,0.5\n"))
    assert scores.path.nbytes < 100_000


def test_writer_round_trips(tmp_path):
    values = np.random.default_rng(0).random(50)
    values[:25] = values[:25].astype(np.float32)
    rows = [
        _row('tricky, "name"', i, value, generator="G", start_frame=5 * i) for i, value in enumerate(values)
    ]
    with ScoresWriter(tmp_path / "new" / "scores.csv") as writer:
        writer.append(rows[:20])
        writer.append(rows[20:])
    scores = read_scores(tmp_path / "new" / "scores.csv")
    assert np.array_equal(scores.score, values)
    expected = Scores.from_rows(rows)
    for name in COLUMNS:
        assert getattr(scores, name).tolist() == getattr(expected, name).tolist()


def test_writer_takes_numpy_scalars(tmp_path):
    score = np.float32(0.1)
    with ScoresWriter(tmp_path / "scores.csv") as writer:
        writer.append([_row("a", np.int64(0), score, label=np.int32(1))])
    assert np.float32(read_scores(tmp_path / "scores.csv").score[0]) == score


def test_writer_continues_after_a_cut_anywhere(tmp_path):
    rows = [_row("é1", window, 0.1 + window / 10) for window in range(3)]
    file = tmp_path / "scores.csv"
    with ScoresWriter(file) as writer:
        writer.append(rows)
    content = file.read_bytes()
    for length in range(len(content) + 1):
        file.write_bytes(content[:length])
        with ScoresWriter(file) as writer:
            assert len(writer.finished) == max(0, content[:length].count(b"\n") - 1)
            writer.append(row for row in rows if row.path not in writer.finished)
        assert file.read_bytes() == content


def test_rows_survive_a_kill(tmp_path):
    code = f"""
import os, signal
from lipfd_jax.evaluation.metrics.scores import ScoreRow, ScoresWriter
writer = ScoresWriter({str(tmp_path / "scores.csv")!r})
writer.append([ScoreRow(path="0_real/1_0.png", label=0, score=0.5, video="0_real/1", source="1")])
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": os.getcwd()})
    with ScoresWriter(tmp_path / "scores.csv") as writer:
        assert writer.finished == {"0_real/1_0.png"}


def test_a_full_disk_is_named_and_the_file_goes_on(tmp_path):
    code = f"""
import resource
from lipfd_jax.evaluation.metrics.scores import ScoreRow, ScoresWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))  # as a full disk: writing beyond fails in the middle
with ScoresWriter({str(tmp_path / "scores.csv")!r}) as writer:
    for i in range(100):
        row = dict(path=f"0_real/1_{{i}}.png", label=0, score=i / 100, video="0_real/1", source="1", window=i)
        writer.append([ScoreRow(**row)])
"""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment, stderr=subprocess.PIPE)
    assert done.returncode == 1
    last = done.stderr.decode().splitlines()[-1]
    assert "the same command resumes once there is room" in last
    assert str(tmp_path / "scores.csv") in last
    with ScoresWriter(tmp_path / "scores.csv") as writer:
        assert 5 < len(writer.finished) < 12


def test_writer_refuses_bad_rows(tmp_path):
    file = tmp_path / "scores.csv"
    with ScoresWriter(file) as writer:
        writer.append([_row("a", 0, 0.5)])
        before = file.read_bytes()
        for rows in (
            [_row("b", 0, 0.5), _row("b", 1, np.nan)],
            [_row("c", 0, 1.5)],
            [_row("a", 0, 0.5)],
            [_row("a\nb", 0, 0.5)],
            [_row("d", 0, 0.5, generator="x\r")],
        ):
            with pytest.raises(ScoresError):
                writer.append(rows)
        assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"path,label,score\n0_real/1_0.png,0,0.5\n", b"a diary", b"\xff\xfe\n"])
def test_writer_leaves_other_files_alone(tmp_path, content):
    file = _file(tmp_path, content)
    with pytest.raises(ScoresError, match="earlier evaluation"):
        ScoresWriter(file)
    assert file.read_bytes() == content


def test_writer_names_a_damaged_row(tmp_path):
    file = _file(tmp_path, ",".join(COLUMNS) + "\n0_real/1_0.png,0,0.5,0_real/1,1,,0\n")
    with pytest.raises(ScoresError, match="line 2: 7 cells"):
        ScoresWriter(file)


def test_select():
    scores = Scores.from_rows([_row("a", window, window / 10) for window in range(5)])
    assert scores.select(scores.score > 0.15).window.tolist() == [2, 3, 4]
    assert scores.select(np.array([4, 0])).score.tolist() == [0.4, 0.0]
