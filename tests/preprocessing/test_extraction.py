"""Windows of clips: recorded released composites, frames and sound in step in unusual clips, damage named."""

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.preprocessing.audio import make_mel_image, read_sound
from lipfd_jax.preprocessing.composite import make_composite
from lipfd_jax.preprocessing.encoding import encode_window, rebuild_composite
from lipfd_jax.preprocessing.extraction import extract_windows

RATE = 22050 / 512  # mel columns per second
MINIMUM = (68, 1, 84)  # viridis of the lowest value


def _clip(path: Path, wav: Path | None = None) -> Clip:
    return Clip("0_real/clip", path, wav, 0, "clip")


@pytest.fixture(scope="module")
def recorded(golden) -> dict[str, dict[int, dict[str, str]]]:
    rows: dict[str, dict[int, dict[str, str]]] = {}
    with open(golden / "composites" / "sha256.csv", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["clip"], {})[int(row["window"])] = row
    return rows


def _sha256(picture):
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()


def test_released_windows_equal_the_recorded_ones(recorded, golden, media):
    clips = [*list_avlips(media / "AVLips").clips, *list_avlips(media / "tricky").clips]
    assert {clip.video for clip in clips} == set(recorded)
    for clip in clips:
        windows = extract_windows(clip, "released").cut_windows
        assert {window.index for window in windows} == set(recorded[clip.video])
        for window in windows:
            picture, row = make_composite(window), recorded[clip.video][window.index]
            assert _sha256(picture[500:]) == row["frames_sha256"]
            if _sha256(picture[:500]) != row["mel_sha256"]:  # a newer resampler, at 44.1 kHz
                _assert_mel_is_near(picture, golden, clip.video, window.index)
            np.testing.assert_array_equal(rebuild_composite(encode_window(window)), picture)


def _assert_mel_is_near(picture, golden, video, index):
    path = golden / "composites" / f"{video.replace('/', '__')}_{index}.png"
    if path.exists():
        kept = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        assert np.abs(kept[:500].astype(int) - picture[:500]).max() <= 2


def test_released_windows_need_the_wav(tmp_path, studio):
    with pytest.raises(ClipError, match=r"a\.mkv: no wav"):
        extract_windows(_clip(studio.write_video(tmp_path / "a.mkv", sound=studio.chirp(2))), "released")


def test_released_windows_overlap_in_short_clips_and_drop_the_rest(tmp_path, studio):
    wav = studio.write_wav(tmp_path / "a.wav", studio.chirp(1.6))
    extraction = extract_windows(_clip(studio.write_video(tmp_path / "a.mp4", 40), wav), "released")
    shown = [[studio.number_of(frame) for frame in window.frames] for window in extraction.cut_windows]
    assert shown == [list(range(start, start + 5)) for start in range(0, 35, 5)]
    assert extraction.warnings == ("last 4 frames dropped, as they fill no window",)


@pytest.mark.parametrize("frames", [5, 6, 14, 40, 300])
def test_paper_windows_are_consecutive_and_span_the_clip(tmp_path, studio, frames):
    wav = studio.write_wav(tmp_path / "a.wav", studio.chirp(frames / 25))
    extraction = extract_windows(_clip(studio.write_video(tmp_path / "a.mp4", frames), wav))
    assert len(extraction.cut_windows) == min(10, frames - 4)
    assert [window.index for window in extraction.cut_windows] == list(range(len(extraction.cut_windows)))
    for window in extraction.cut_windows:
        shown = [studio.number_of(frame) for frame in window.frames]
        assert shown == list(range(window.start_frame, window.start_frame + 5))
        assert window.fps == pytest.approx(25)
        assert window.mel.shape == (128, window.mel.shape[1], 3)
    assert extraction.cut_windows[0].start_frame == 0
    assert extraction.cut_windows[-1].start_frame == frames - 5
    assert extraction.warnings == ()


def _assert_in_step(extraction, times, end, samples, sound_start):
    """Asserts that every window's mel strip covers the time from its first frame to the end of its fifth."""
    mel, bounds = make_mel_image(samples), np.append(times, end)
    for window in extraction.cut_windows:
        span = bounds[[window.start_frame, window.start_frame + 5]] - sound_start
        first, last = np.rint(span * RATE).astype(int)
        expected = np.empty((128, max(last - first, 1), 3), np.uint8)
        for column in range(expected.shape[1]):
            inside = 0 <= first + column < mel.shape[1]
            expected[:, column] = mel[:, first + column] if inside else MINIMUM
        np.testing.assert_array_equal(window.mel, expected)


def test_sound_stays_in_step_at_variable_frame_rates(tmp_path, studio):
    steps = np.random.default_rng(3).choice([0.02, 0.03, 0.05, 0.07], 150)
    times = np.round(np.concatenate([[0], np.cumsum(steps)[:-1]]), 3)
    path = studio.write_video(tmp_path / "a.mkv", 150, times=list(times), sound=studio.chirp(8))
    mel = make_mel_image(read_sound(path).samples)
    windows = extract_windows(_clip(path)).cut_windows
    assert len(windows) == 10
    for window in windows:
        begin = times[window.start_frame]
        shown = times[[studio.number_of(frame) for frame in window.frames]]
        assert np.abs(shown - begin - 0.04 * np.arange(5)).max() <= 0.035
        consecutive = np.array_equal(shown, times[window.start_frame :][:5])
        end = times[window.start_frame + 5] if consecutive else begin + 0.2
        first, last = np.rint(np.array([begin, end]) * RATE).astype(int)
        np.testing.assert_array_equal(window.mel, mel[:, first:last])


def test_sound_that_starts_late_and_ends_early_is_padded(tmp_path, studio):
    path = studio.write_video(tmp_path / "a.mkv", 100, sound=studio.chirp(1.5), sound_start=1.0)
    extraction = extract_windows(_clip(path))
    _assert_in_step(extraction, np.arange(100) / 25, 4.0, read_sound(path).samples, 1.0)
    for window in (extraction.cut_windows[0], extraction.cut_windows[-1]):
        assert (window.mel == MINIMUM).all()
    assert extraction.warnings[0] == "sound from 1.00 to 2.50 s, video from 0 to 4.00 s"
    assert "outside the sound" in extraction.warnings[1]


def test_a_click_is_heard_in_the_window_that_shows_its_moment(tmp_path, studio):
    sound = np.random.default_rng(0).normal(0, 1e-3, 16000 * 4)
    sound[35200 : 35200 + 1600] += studio.chirp(0.1)
    for path in (
        studio.write_video(tmp_path / "a.mkv", 100, sound=sound[8000:], sound_start=0.5),
        studio.write_video(tmp_path / "b.mkv", 60, times=list(np.arange(60) / 15), sound=sound),
    ):
        windows = extract_windows(_clip(path)).cut_windows
        bright = [window.mel[..., 0].max() for window in windows]  # only the loudest values are yellow
        loudest = windows[int(np.argmax(bright))]
        assert loudest.start_frame / loudest.fps <= 2.3
        assert loudest.start_frame / loudest.fps + 0.2 >= 2.2


def test_wav_is_preferred_and_starts_with_the_first_frame(tmp_path, studio):
    sound = studio.chirp(2)[::-1]
    path = studio.write_video(
        tmp_path / "a.mkv",
        50,
        times=[1 + n / 25 for n in range(50)],
        sound=0.5 * sound + np.random.default_rng(0).normal(0, 0.02, len(sound)),
        sound_start=1.0,
    )
    wav = studio.write_wav(tmp_path / "a.wav", sound)
    extraction = extract_windows(_clip(path, wav))
    _assert_in_step(extraction, np.arange(50) / 25, 2.0, read_sound(wav).samples, 0.0)


def test_a_silent_wav_is_built_and_flagged(tmp_path, studio):
    clip = _clip(
        studio.write_video(tmp_path / "a.mp4"), studio.write_wav(tmp_path / "a.wav", np.zeros(25600))
    )
    for mode in ("paper", "released"):
        extraction = extract_windows(clip, mode)
        assert "silent sound" in extraction.warnings
        assert len(extraction.cut_windows) >= 7


def test_every_clip_at_hand_gives_ten_windows(media):
    clips = list_csv_clips(media / "clips.csv").clips[::5]
    assert len(clips) == 7
    for clip in clips:
        windows = extract_windows(clip).cut_windows
        assert len(windows) == 10
        assert all(window.mel.shape[1] >= 4 for window in windows)


def _wav(studio, folder, samples, **options):
    return studio.write_wav(folder / "a.wav", samples, **options)


DAMAGE = {
    "no sound": (lambda s, d: (s.write_video(d / "a.mp4"), None), "no sound"),
    "four frames": (lambda s, d: (s.write_video(d / "a.mp4", 4), _wav(s, d, s.chirp(1))), "4 frames"),
    "one frame": (lambda s, d: (s.write_video(d / "a.mp4", 1), _wav(s, d, s.chirp(1))), "1 frames"),
    "ten samples": (lambda s, d: (s.write_video(d / "a.mp4"), _wav(s, d, s.chirp(1)[:10])), "14 samples"),
    "NaN": (
        lambda s, d: (s.write_video(d / "a.mp4"), _wav(s, d, np.full(9999, np.nan), subtype="FLOAT")),
        "NaN",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("mode", ["paper", "released"])
def test_damage_is_named(tmp_path, studio, damage, mode):
    make, reason = DAMAGE[damage]
    path, wav = make(studio, tmp_path)
    with pytest.raises(ClipError, match=rf"a\.(mp4|wav): .*{reason if wav else 'no (sound|wav)'}"):
        extract_windows(_clip(path, wav), mode)


def test_a_video_that_changes_its_size_is_built(tmp_path, studio):
    parts = [
        studio.write_video(tmp_path / f"{n}.ts", 20, size=(48, 80 + 16 * n)).read_bytes() for n in range(2)
    ]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(parts))  # the counter of the transport stream jumps at the seam
    wav = studio.write_wav(tmp_path / "a.wav", studio.chirp(2))
    kept = extract_windows(_clip(path, wav))
    assert kept.warnings == ("recordings joined at 0.8 s",)
    assert all(window.frames.shape[0] == 5 for window in kept.cut_windows)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_mutated_files_end_in_windows_or_in_a_reason(tmp_path, studio, suffix):
    random = np.random.default_rng(0)
    whole = studio.write_video(tmp_path / f"whole.{suffix}", 12).read_bytes()
    wav = studio.write_wav(tmp_path / "a.wav", studio.chirp(0.5))
    reasons = []
    for number in range(25):
        data = bytearray(whole)
        for place in random.integers(0, len(data), random.integers(1, 30)):
            data[place] = random.integers(256)
        path = tmp_path / f"{number}.{suffix}"
        path.write_bytes(data[: random.integers(len(data))] if number % 4 == 0 else data)
        try:
            assert all(
                window.frames.shape[0] == 5 for window in extract_windows(_clip(path, wav)).cut_windows
            )
        except ClipError as error:
            reasons.append((f"{path}: ", str(error)))
    assert len(reasons) >= 3
    assert all(reason.startswith(name) for name, reason in reasons)
