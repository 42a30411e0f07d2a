"""PNGs of a data set: all written, damaged clips skipped by name, runs resumed, conventions never mixed."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.synthetic_mark import is_synthetic
from lipfd_jax.preprocessing import composite_pngs
from lipfd_jax.preprocessing.composite import make_composite
from lipfd_jax.preprocessing.composite_pngs import write_composites
from lipfd_jax.preprocessing.extraction import extract_windows


@pytest.fixture
def data(tmp_path, studio):
    """Two good clips, one of them with silent sound, and damage of several kinds."""
    folder = tmp_path / "data"
    for name in ("0_real", "1_fake", "wav/0_real", "wav/1_fake"):
        (folder / name).mkdir(parents=True)
    for name, frames in (("0_real/0", 40), ("1_fake/0", 12), ("0_real/four", 4), ("1_fake/mute", 30)):
        studio.write_video(folder / f"{name}.mp4", frames)
        sound = np.zeros(25600) if "mute" in name else studio.chirp(frames / 25)
        studio.write_wav(folder / "wav" / f"{name}.wav", sound)
    studio.write_video(folder / "0_real" / "soundless.mp4")
    (folder / "0_real" / "empty.mp4").write_bytes(b"")
    (folder / "1_fake" / "text.mp4").write_text("hello")
    studio.write_wav(folder / "wav" / "1_fake" / "lonely.wav", studio.chirp(1))
    return folder


def _names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_composites_of_drawn_people_are_marked(data, tmp_path):
    for name, drawn in (("drawn", True), ("filmed", False)):
        listing = dataclasses.replace(list_avlips(data), clips=(), synthetic=drawn)
        write_composites(listing, tmp_path / name, convention="paper", workers=0)
        assert is_synthetic(tmp_path / name) == drawn


def test_everything_good_is_built_and_the_rest_is_named(data, tmp_path):
    output = tmp_path / "out"
    summary = write_composites(list_avlips(data), output, convention="paper", workers=0)
    assert (summary.built, summary.skipped, summary.composites, summary.missing) == (3, 0, 28, ())
    assert summary.warnings == (("1_fake/mute", "silent sound"),)
    assert {name for name, _ in summary.problems} == {
        "0_real/empty", "0_real/four", "0_real/soundless", "1_fake/text", "wav/1_fake/lonely.wav"
    }  # fmt: skip
    assert "3 clips built, 0 finished earlier, 5 not built; 28 composites, 0 missing" in str(summary)
    assert len(_names(output)) == 28 + 2  # the journal and the note of the windows
    clip = next(clip for clip in list_avlips(data).clips if clip.video == "0_real/0")
    picture = cv2.cvtColor(cv2.imread(str(output / "0_real" / "0_3.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(picture, make_composite(extract_windows(clip).cut_windows[3]))


def test_whatever_one_clip_raises_the_others_are_built_and_its_traceback_is_logged(
    data, tmp_path, monkeypatch
):
    def fail(clip, *arguments, **options):
        if clip.video == "0_real/0":
            raise IndexError("list index out of range")
        return extract_windows(clip, *arguments, **options)

    monkeypatch.setattr(composite_pngs, "extract_windows", fail)
    (data / "0_real" / "._0.mp4").touch()
    output = tmp_path / "out"
    summary = write_composites(list_avlips(data), output, convention="paper", workers=0)
    assert summary.built == 2
    reason = dict(summary.problems)["0_real/0"]
    path = data / "0_real/0.mp4"
    assert (
        reason == f"{path}: unexpected IndexError: list index out of range; traceback in {output}/errors.log"
    )
    assert "in fail\n" in (output / "errors.log").read_text()
    assert "skipped: 1 hidden or system file\n" in str(summary)


def test_a_stopped_run_goes_on(data, tmp_path, monkeypatch):
    output, whole = tmp_path / "out", tmp_path / "whole"
    write_composites(list_avlips(data), whole, convention="paper", workers=0)
    written = []

    def stopping(path, payload):
        if len(written) == 14:
            raise KeyboardInterrupt
        written.append(path)
        path.write_bytes(payload)

    with monkeypatch.context() as patch:
        patch.setattr(composite_pngs, "write_bytes", stopping)
        with pytest.raises(KeyboardInterrupt):
            write_composites(list_avlips(data), output, convention="paper", workers=0)
    with open(output / composite_pngs.JOURNAL, "a") as journal:
        journal.write('{"video": "1_fa')  # as a kill leaves it
    summary = write_composites(list_avlips(data), output, convention="paper", workers=0)
    assert (summary.built, summary.skipped, summary.missing) == (2, 1, ())
    summary = write_composites(list_avlips(data), output, convention="paper", workers=0)
    assert (summary.built, summary.skipped) == (0, 3)
    assert _names(output) == _names(whole)
    assert all(
        (output / name).read_bytes() == (whole / name).read_bytes() for name in _names(whole) if "png" in name
    )


def test_a_second_run_builds_only_what_is_gone(data, tmp_path):
    output = tmp_path / "out"
    write_composites(list_avlips(data), output, convention="paper", workers=0)
    (output / "1_fake" / "mute_4.png").write_bytes(b"")  # as a power cut may leave it
    with open(output / composite_pngs.JOURNAL, "a") as journal:
        journal.write('[]\n{"video": "1_fake/other"}\n')  # damaged lines
    summary = write_composites(list_avlips(data), output, convention="paper", workers=0)
    assert (summary.built, summary.skipped, summary.composites) == (1, 2, 28)
    lines = [json.loads(line) for line in (output / composite_pngs.JOURNAL).read_text().splitlines()]
    assert lines[-1]["video"] == "1_fake/mute"


def test_windows_modes_are_not_mixed(data, tmp_path):
    write_composites(list_avlips(data), tmp_path / "out", convention="paper", workers=0)
    with pytest.raises(ClipError, match="holds paper windows"):
        write_composites(list_avlips(data), tmp_path / "out", convention="released", workers=0)


def test_names_too_long_for_a_picture_are_named(tmp_path, studio):
    folder = tmp_path / "data" / "0_real"
    folder.mkdir(parents=True)
    for name in ("x" * 250, "y" * 240, "日本 ü"):
        studio.write_video(tmp_path / "a.mkv", 6, sound=studio.chirp(1)).rename(folder / f"{name}.mkv")
    summary = write_composites(
        list_avlips(tmp_path / "data"), tmp_path / "out", convention="paper", workers=0
    )
    assert (summary.built, summary.composites) == (2, 4)
    assert [name for name, _ in summary.problems] == ["0_real/" + "x" * 250]
    assert "too long" in summary.problems[0][1]
