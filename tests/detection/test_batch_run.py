"""Detection of folders: results on disk, earlier results reused, errors counted, exit codes, safe pages."""

import csv
import io
import json
from types import SimpleNamespace

import jsonschema
import pytest
from tqdm import tqdm

from lipfd_jax.commands import detector_flags
from lipfd_jax.detection.batch_run import choose_exit_code, detect_videos, make_folder_name, show_part
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.result import load_schema
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.videos import list_videos

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(film, grainy, speech, tmp_path):
    """A real video, a forged one with a script for a name and a title, and one that is none."""
    place = tmp_path / "videos"
    place.mkdir()
    film(place / "a.mp4", grainy(60, 60), sound=speech[:52920], rate=22050)
    film(
        place / f"{HOSTILE.replace('/', '')}.mp4",
        grainy(240, 60),
        sound=speech[:52920],
        rate=22050,
        title=HOSTILE,
    )
    (place / "z.mp4").write_bytes(b"no video")
    return place


def test_results_tables_and_exit_codes(folder, model, one_face, tmp_path):
    printed = []
    output = tmp_path / "out"
    lines = detect_videos(model, list_videos([folder]), output, table=True, print_line=printed.append)
    assert len(printed) == len(lines) == 3
    by_name = {line.path.name: line for line in lines}
    assert by_name["a.mp4"].outcome == "none"
    assert by_name["z.mp4"].outcome is None
    assert "z.mp4" in by_name["z.mp4"].error
    assert choose_exit_code(lines) == 1
    assert choose_exit_code([line for line in lines if line.outcome]) == 10
    assert choose_exit_code([by_name["a.mp4"]]) == 0
    for path in output.glob("*/result.json"):
        jsonschema.validate(json.loads(path.read_text()), load_schema())
    rows = list(csv.DictReader((output / "results.csv").open()))
    assert {row["outcome"] for row in rows} == {"none", "moderate", "error"}


def test_nothing_is_judged_twice_and_other_settings_are_other_work(folder, model, one_face, tmp_path):
    videos = [folder / "a.mp4"]
    detect_videos(model, videos, tmp_path / "out", print_line=str)
    scored = model.scored
    (again,) = detect_videos(model, videos, tmp_path / "out", print_line=str)
    assert again.again
    assert model.scored == scored
    (other,) = detect_videos(
        model, videos, tmp_path / "out", settings=DetectionSettings(max_windows=3, refined=0), print_line=str
    )
    assert not other.again
    assert model.scored == scored + 3


def test_nothing_of_a_name_or_title_runs_in_the_page(folder, model, one_face, tmp_path):
    hostile = next(path for path in folder.iterdir() if "script" in path.name)
    (line,) = detect_videos(model, [hostile], tmp_path / "out", print_line=str)
    assert line.folder.parent == tmp_path / "out"
    page = (line.folder / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.split("<main>")[1].split("</main>")[0]


def test_folder_names_hold_harmless_letters_only():
    from pathlib import Path

    assert make_folder_name(Path("../..//a b?.mp4"), "0123456789") == "a_b_.mp4-01234567"
    assert make_folder_name(Path("..."), "0123456789") == "video-01234567"


def test_paths_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ClipError, match=r"nothing\.mp4"):
        list_videos([tmp_path / "nothing.mp4"])
    with pytest.raises(ClipError, match="no video"):
        list_videos([tmp_path])


def test_where_there_is_no_checkpoint_the_way_to_one_is_said(monkeypatch):
    monkeypatch.setattr(detector_flags.flags, "FLAGS", SimpleNamespace(checkpoint=None))
    with pytest.raises(SystemExit, match=r"AaronComo/LipFD(.|\n)*lipfd convert"):
        detector_flags.check_checkpoint()


def test_the_bar_of_one_video_shows_the_time_left_of_each_part():
    written = io.StringIO()
    with tqdm(total=1, file=written, mininterval=0, miniters=0) as bar:
        show_part(bar, "looking", 2.0, 8.0)
        assert (bar.n, bar.total) == (2.0, 8.0)
        show_part(bar, "looking", 9.0, 8.0)  # headers can promise too little
        assert (bar.n, bar.total) == (9.0, 9.0)
        show_part(bar, "scoring", 5.0, 10.0)
        assert (bar.n, bar.total) == (5.0, 10.0)
        show_part(bar, "scoring", 12.0, 0.0)
    shown = written.getvalue()
    assert "looking for faces:  25%" in shown
    assert "scoring:  50%" in shown
    assert "<00:" in shown
