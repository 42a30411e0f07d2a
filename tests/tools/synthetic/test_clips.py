"""Nothing but the mouth tells a forged clip from the real one."""

import av
import cv2
import numpy as np
import pytest
import soundfile

from lipfd_jax.listing.clips import Clip
from lipfd_jax.preprocessing.audio import read_sound
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.tools.synthetic import clips
from lipfd_jax.tools.synthetic.clips import draw_take, write_take, write_video

SIDE = 224
LIPS = slice(round(0.275 * SIDE), round(0.725 * SIDE))  # the crop the network sees as the lips


@pytest.fixture(scope="module", autouse=True)
def short():
    """Clips of about a second, to be quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "FRAMES", (24, 30))
        yield


@pytest.fixture(scope="module")
def takes(short):
    return [draw_take(seed=5, number=number) for number in range(3)]


def test_a_take_is_the_same_whatever_else_was_drawn(takes):
    again = draw_take(seed=5, number=2)
    for name in ("real", "fake", "real_sound", "fake_sound"):
        np.testing.assert_array_equal(getattr(takes[2], name), getattr(again, name))


def test_seed_identity_and_clip_each_change_the_take(takes):
    for other in (draw_take(6, 0), draw_take(5, 0, clip=1), takes[1]):
        frames = min(len(other.real), len(takes[0].real))
        assert not np.array_equal(other.real[:frames], takes[0].real[:frames])


def test_frames_differ_about_the_mouth_only(takes):
    for take in takes:
        assert 24 <= len(take.real) <= 30
        assert take.real.shape == take.fake.shape == (len(take.real), SIDE, SIDE, 3)
        change = np.abs(take.real.astype(int) - take.fake).max((0, 3))
        rows, columns = np.nonzero(change > 16)
        assert LIPS.start - 4 <= min(rows.min(), columns.min())
        assert max(rows.max(), columns.max()) < LIPS.stop + 4
        assert not change[: SIDE // 3].any()  # eyes, brows, hair and wall, to the bit
        assert not change[:, : SIDE // 5].any()
        assert not change[:, -SIDE // 5 :].any()
        assert (take.real == take.fake).mean() > 0.85


def test_every_frame_is_forged(takes):
    for take in takes:
        changed = np.abs(take.real[:, LIPS, LIPS].astype(int) - take.fake[:, LIPS, LIPS]).max((1, 2, 3))
        assert changed.min() > 20


def test_the_forged_mouth_is_smeared(takes):
    for take in takes:
        where = (take.real != take.fake).all(3).mean(0) > 0.9
        real, fake = (np.mean([_detail(frame)[where].mean() for frame in f]) for f in (take.real, take.fake))
        assert fake < 0.6 * real


def test_sounds_have_one_length_and_loudness_and_other_words(takes):
    for take in takes:
        assert take.real_sound.size == take.fake_sound.size == len(take.real) * 16_000 // 25
        loudness = [20 * np.log10(np.sqrt(np.mean(s**2))) for s in (take.real_sound, take.fake_sound)]
        assert loudness[0] == pytest.approx(loudness[1], abs=0.3)
        assert abs(np.corrcoef(take.real_sound, take.fake_sound)[0, 1]) < 0.3


def test_files_leave_in_the_same_formats(takes, tmp_path):
    write_take(takes[0], tmp_path, "7")
    formats, sizes = [], []
    for kind in ("0_real", "1_fake"):
        video = tmp_path / kind / "7.mp4"
        formats.append((_streams(video), _wav(tmp_path / "wav" / kind / "7.wav")))
        sizes.append(video.stat().st_size)
    frames = len(takes[0].real)
    assert formats[0] == formats[1]
    assert formats[0][0][0] == ("h264", SIDE, SIDE, 25, frames, "yuv420p")
    assert formats[0][0][1] == ("aac", 16_000, 1)
    assert formats[0][1] == (16_000, 1, "PCM_16", frames * 640)
    assert sizes[1] == pytest.approx(sizes[0], rel=0.25)


def test_decoded_frames_show_what_was_drawn_and_match_outside_the_mouth(takes, tmp_path):
    take = takes[1]
    write_take(take, tmp_path, "0")
    real, fake = (_decoded(tmp_path / kind / "0.mp4") for kind in ("0_real", "1_fake"))
    assert real.shape == take.real.shape
    assert np.abs(real.astype(int) - take.real).mean() < 6
    outside = (take.real == take.fake).all((0, 3))
    detail = [np.mean([_detail(frame)[outside].mean() for frame in frames]) for frames in (real, fake)]
    assert detail[0] == pytest.approx(detail[1], rel=0.03)
    assert real[:, outside].mean() == pytest.approx(fake[:, outside].mean(), abs=0.3)


def test_the_sound_inside_is_in_step_with_the_wav(takes, tmp_path):
    write_take(takes[0], tmp_path, "0")
    for kind in ("0_real", "1_fake"):
        video, wav = tmp_path / kind / "0.mp4", tmp_path / "wav" / kind / "0.wav"
        inside, beside = read_sound(video), read_sound(wav)
        length = min(len(inside.samples), len(beside.samples))
        assert inside.start == beside.start == 0
        assert np.corrcoef(inside.samples[:length], beside.samples[:length])[0, 1] > 0.98
        clip = Clip(video=f"{kind}/0", path=video, wav=wav, label=0, source="0")
        assert not extract_windows(clip, "paper").warnings


def test_encoding_is_repeatable(takes, tmp_path):
    path = tmp_path / "a.mp4"
    encoded = set()
    for _ in range(6):
        write_video(path, takes[0].real, takes[0].real_sound)
        encoded.add(path.read_bytes())
    assert len(encoded) == 1


def _detail(frame):
    return np.abs(cv2.Laplacian(frame.astype(np.float32).mean(2), cv2.CV_32F))


def _decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _streams(path):
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        shown = (video.codec_context.name, video.width, video.height, video.average_rate)
        heard = (sound.codec_context.name, sound.rate, sound.codec_context.channels)
        return (*shown, video.frames, video.pix_fmt), heard


def _wav(path):
    info = soundfile.info(path)
    return info.samplerate, info.channels, info.subtype, info.frames
