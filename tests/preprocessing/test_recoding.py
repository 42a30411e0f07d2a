"""Recoded videos: H.264 at the given rate factor, same frames and times, quality falling with the factor."""

import av
import numpy as np
import pytest

from lipfd_jax.preprocessing.recoding import recode_video
from lipfd_jax.preprocessing.video import read_frames

CRFS = (30, 32, 35, 38, 40)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Moving texture, encoded without loss."""
    path = tmp_path_factory.mktemp("recoded") / "a.mkv"
    random = np.random.default_rng(0)
    texture = random.integers(0, 256, (120, 200, 3)).astype(np.uint8).repeat(2, 0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "bgr0"
        for number in range(12):
            picture = np.ascontiguousarray(texture[number : number + 80, number : number + 96])
            output.mux(
                stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0"))
            )
        output.mux(stream.encode(None))
    return path


def test_it_is_h264_with_the_same_frames_and_times(video):
    with recode_video(video, 30) as path:
        with av.open(str(path)) as container:
            assert [stream.codec_context.name for stream in container.streams] == ["h264"]
            assert b"crf=30.0" in path.read_bytes()  # libx264 notes its settings in the stream
        found = read_frames(path, range(12))
        assert found.times == pytest.approx(read_frames(video, ()).times)
        assert len(found.frames) == 12
    assert not path.exists()


def test_error_grows_and_size_falls_with_the_level(video):
    whole = read_frames(video, range(12)).frames
    errors, sizes = [], []
    for crf in CRFS:
        with recode_video(video, crf) as path:
            pictures = read_frames(path, range(12)).frames
            sizes.append(path.stat().st_size)
        errors.append(float(np.mean([(pictures[n].astype(float) - whole[n]) ** 2 for n in whole])))
    assert errors == sorted(set(errors))
    assert sizes == sorted(set(sizes), reverse=True)


def test_it_is_the_same_each_time(film, tmp_path):
    # a bright disc that moves over soft grain, on which x264's default differs now and then with AVX-512
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:224, :224]
    pictures = []
    for number in range(50):
        disc = 80.0 * np.exp(-((rows - 112) ** 2 + (columns - 40 - 3 * number) ** 2) / 1000)
        grain = random.normal(60, 4, (56, 56, 3)).repeat(4, 0).repeat(4, 1)
        pictures.append(np.uint8(grain + disc[..., None]))
    path = film(tmp_path / "a.mp4", pictures)
    found = set()
    for _ in range(16):
        litter = [random.bytes(size) for size in range(1000, 300_000, 9000)]  # for what reads memory unset
        del litter
        with recode_video(path, 35) as made:
            found.add(made.read_bytes())
    assert len(found) == 1
