"""Detection of folders: results on disk, earlier results reused, errors counted, exit codes, safe pages."""

import csv
import errno
import io
import json
import os
import shutil
import threading
from types import SimpleNamespace
from urllib.parse import quote

import av
import jsonschema
import pytest
from tqdm import tqdm

from lipfd_jax.commands import detector_flags
from lipfd_jax.detection import batch_run, provenance
from lipfd_jax.detection.batch_run import detect_videos, show_part
from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.result import load_schema
from lipfd_jax.detection.result_folder import make_folder_name
from lipfd_jax.detection.video_rows import choose_exit_code, write_left_out
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.videos import list_videos
from lipfd_jax.storage.checksums import hash_file

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
    lines = detect_videos(model, list_videos([folder]).videos, output, table=True, print_line=printed.append)
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


def test_a_file_is_read_once_for_its_checksum(folder, model, one_face, tmp_path, monkeypatch):
    hashed = []

    def note(path):
        hashed.append(path)
        return hash_file(path)

    monkeypatch.setattr(provenance, "hash_file", note)
    (row,) = detect_videos(model, [folder / "a.mp4"], tmp_path / "out", print_line=str)
    assert hashed == [folder / "a.mp4"]
    values = json.loads((row.folder / "result.json").read_text())
    assert values["file"]["sha256"] == hash_file(folder / "a.mp4")


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
    names = {make_folder_name(Path(name), "0123456789") for name in ("ä.mp4", "ö.mp4", "\udcff.mp4")}
    assert len(names) == 3
    assert all(name.startswith("mp4-01234567-") and name.isascii() for name in names)


def test_paths_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ClipError, match=r"nothing\.mp4"):
        list_videos([tmp_path / "nothing.mp4"])
    with pytest.raises(ClipError, match="no video"):
        list_videos([tmp_path])


def test_where_there_is_no_checkpoint_the_way_to_one_is_said(monkeypatch):
    monkeypatch.setattr(detector_flags.flags, "FLAGS", SimpleNamespace(checkpoint=None))
    monkeypatch.setattr(detector_flags.shipped, "has_default", lambda: False)
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


ODD_NAMES = (
    b"latin\xe9.mp4",
    b"new\nline.mp4",
    b"-dash.mp4",
    b" .mp4",
    b"\xff.mp4",
    b"x" * 251 + b".mp4",
    "視频 🎬.mp4".encode(),
    b"100%,'\".mp4",
)


def test_odd_names_are_judged_and_named_in_tables_and_pages(film, grainy, model, one_face, tmp_path):
    plain = film(tmp_path / "plain.mp4", grainy(60, 12))
    place = tmp_path / "in"
    place.mkdir()
    for name in ODD_NAMES:
        shutil.copy(plain, os.fsencode(place) + b"/" + name)
    printed = []
    rows = detect_videos(
        model, list_videos([place]).videos, tmp_path / "out", table=True, print_line=printed.append
    )
    assert [row.error for row in rows] == [""] * len(ODD_NAMES)
    assert all(line.isprintable() for line in printed)
    "\n".join(printed).encode()
    table = list(csv.DictReader((tmp_path / "out/results.csv").open(encoding="utf-8", newline="")))
    assert {row["file"].rpartition("/")[2] for row in table} >= {
        "latin\\xe9.mp4", "new\nline.mp4", "-dash.mp4", " .mp4", "視频 🎬.mp4"
    }  # fmt: skip
    for row in rows:
        values = json.loads((row.folder / "result.json").read_text("utf-8"))
        json.dumps(values, ensure_ascii=False).encode()
        page = (row.folder / "report.html").read_text("utf-8")
        assert quote(os.fsencode(row.path.name)) in page  # the video it plays


FAULTS = [
    ValueError("bare"),
    IndexError("list index out of range"),
    UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed"),
    KeyError("audio"),
    RuntimeError("a library's own"),
    av.BlockingIOError(11, "Resource temporarily unavailable"),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_whatever_one_video_raises_the_others_are_judged(
    folder, model, one_face, tmp_path, monkeypatch, error
):
    def fail(model, video, **options):
        if video.name == "a.mp4":
            raise error
        return detect_video(model, video, **options)

    monkeypatch.setattr(batch_run, "detect_video", fail)
    output = tmp_path / "out"
    rows = detect_videos(model, list_videos([folder]).videos, output, table=True, print_line=str)
    assert sorted(row.outcome or "error" for row in rows) == ["error", "error", "moderate"]
    failed = next(row.error for row in rows if row.path.name == "a.mp4")
    assert str(folder / "a.mp4") in failed
    assert len(list(csv.DictReader((output / "results.csv").open()))) == 3
    if not isinstance(error, av.FFmpegError):
        assert f"unexpected {type(error).__name__}" in failed
        assert failed.endswith(f"; traceback in {output}/errors.log")
        assert "in fail\n" in (output / "errors.log").read_text()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
def test_trouble_of_the_machine_ends_the_run_and_the_same_call_goes_on(
    folder, model, one_face, tmp_path, monkeypatch, error
):
    videos = list_videos([folder]).videos
    with monkeypatch.context() as patch:
        patch.setattr(batch_run, "detect_video", lambda *_, **options: _raise(error))
        with pytest.raises(type(error)):
            detect_videos(model, videos, tmp_path / "out", print_line=str)
    assert len(detect_videos(model, videos, tmp_path / "out", print_line=str)) == 3


def _raise(error):
    raise error


@pytest.mark.parametrize("member", ["predict", "saliency", "metadata"])
def test_an_error_of_the_model_is_no_fault_of_a_video(folder, model, one_face, tmp_path, member):
    class Broken:
        def __getattr__(self, name):
            return getattr(model, name) if name != member else _raise(RuntimeError("XLA"))

    with pytest.raises(RuntimeError, match="XLA"):
        detect_videos(Broken(), list_videos([folder]).videos, tmp_path / "out", print_line=str)


def test_a_failed_opening_ends_the_run_with_its_own_error(folder, model, one_face, tmp_path):
    with pytest.raises(ValueError, match="damaged checkpoint"):
        detect_videos(
            model,
            list_videos([folder]).videos,
            tmp_path / "out",
            print_line=str,
            check=lambda: _raise(ValueError("damaged checkpoint")),
        )


def test_an_interrupt_is_passed_on_at_once_and_keeps_what_is_done(
    folder, model, one_face, tmp_path, monkeypatch
):
    release, begun = threading.Event(), threading.Event()

    def wait(model, video, **options):
        if video.name == "z.mp4":
            begun.set()
            release.wait(60)
        return detect_video(model, video, **options)

    def interrupt(line):
        if "script" in line:
            begun.wait(60)
            raise KeyboardInterrupt

    monkeypatch.setattr(batch_run, "detect_video", wait)
    monkeypatch.setattr(batch_run, "_GRACE_SECONDS", 0.01)
    videos = sorted(list_videos([folder]).videos, key=lambda path: path.name != "a.mp4")
    with pytest.raises(KeyboardInterrupt):  # while a video is in work
        detect_videos(model, videos, tmp_path / "out", print_line=interrupt)
    release.set()
    monkeypatch.undo()
    assert len(list((tmp_path / "out").glob("*/result.json"))) == 2


def test_refused_names_have_rows_too(folder, model, one_face, tmp_path):
    listing = list_videos([folder / "a.mp4", folder / "gone.mp4", "https://example.org/x.mp4"])
    rows = detect_videos(
        model, listing.videos, tmp_path / "out", table=True, refused=listing.refused, print_line=str
    )
    assert [row.outcome for row in rows] == [None, None, "none"]
    assert "https://example.org/x.mp4: files only" in rows[1].error
    assert choose_exit_code(rows) == 1
    table = [row["file"] for row in csv.DictReader((tmp_path / "out/results.csv").open())]
    assert table == [f"{folder}/gone.mp4", "https://example.org/x.mp4", f"{folder}/a.mp4"]


def test_what_a_folder_holds_besides_is_a_table_of_its_own(tmp_path):
    write_left_out(tmp_path, [(tmp_path / "a\udce9,b.txt", "not a video: text")])
    (row,) = csv.DictReader((tmp_path / "left_out.csv").open())
    assert row == {"file": f"{tmp_path}/a\\xe9,b.txt", "reason": "not a video: text"}
