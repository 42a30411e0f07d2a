"""Videos that do not begin with a key frame, or have none, say so instead of being called damaged."""

from pathlib import Path

import av
import numpy as np
import pytest

from lipfd_jax.detection.quality_warnings import find_frame_cautions
from lipfd_jax.faces.scan import scan_video
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.preprocessing.track_choices import TrackRequest


@pytest.fixture(scope="module")
def whole(film, tmp_path_factory):
    """Four seconds with a key frame every second, and sound."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (64, 64, 3), np.uint8)
    sound = rng.normal(0, 0.1, 64000).astype(np.float32)
    frames = [np.roll(base, number, 1) for number in range(100)]
    return film(tmp_path_factory.mktemp("whole") / "whole.mp4", frames, sound=sound)


def _copy(source, path, keep):
    """Copies the packets of a video for whose number and key flag `keep` holds, and all sound."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = {stream.type: new.add_stream_from_template(stream) for stream in old.streams}
        count = 0
        for packet in old.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video":
                count += 1
                if not keep(count - 1, packet.is_keyframe):
                    continue
            packet.stream = streams[packet.stream.type]
            new.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_a_video_that_begins_between_key_frames_lacks_its_start_and_says_so(whole, tmp_path, suffix):
    path = _copy(whole, tmp_path / f"mid.{suffix}", lambda number, key: number >= 10)
    extraction = extract_windows(Clip("0_real/mid", path, None, 0, "mid"), "paper")
    assert len(extraction.cut_windows) == 10
    assert (
        "begins without a key frame: its first 0.6 s can't be decoded and are not used" in extraction.warnings
    )
    scan = scan_video(path, None)
    assert len(scan.times) == 75
    cautions = {caution.key: caution.text for caution in find_frame_cautions(scan, [])}
    assert "its first 0.6 s can't be shown" in cautions["no_key_frame"]


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_a_video_without_any_key_frame_is_named(whole, tmp_path, suffix):
    path = _copy(whole, tmp_path / f"none.{suffix}", lambda number, key: not key)
    with pytest.raises(ClipError, match="no key frame in it, so that none of its frames can be decoded"):
        extract_windows(Clip("0_real/none", path, None, 0, "none"), "paper")
    with pytest.raises(ClipError, match="no key frame in it"):
        scan_video(path, None)


def test_the_key_frames_are_those_of_the_track_that_is_read(whole, tmp_path):
    """Of two video tracks the second lacks its first ten frames."""
    path = tmp_path / "both.ts"
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        copies = [new.add_stream_from_template(stream) for stream in old.streams.video * 2]
        for number, packet in enumerate(packet for packet in old.demux(video=0) if packet.dts is not None):
            for copy in copies if number >= 10 else copies[:1]:
                packet.stream = copy
                new.mux(packet)
    clip = Clip("0_real/both", path, whole, 0, "both")
    assert not any("key frame" in warning for warning in extract_windows(clip).warnings)
    warnings = extract_windows(clip, tracks=TrackRequest(video=2)).warnings
    assert "begins without a key frame: its first 0.6 s can't be decoded and are not used" in warnings


def test_frames_that_a_decoder_shows_before_a_key_frame_are_damage(tmp_path):
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (64, 64, 3), np.uint8)
    with av.open(str(tmp_path / "whole.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"g": "25"})
        stream.width = stream.height = 64
        for number in range(50):
            picture = av.VideoFrame.from_ndarray(np.roll(base, number, 1), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    path = _copy(tmp_path / "whole.avi", tmp_path / "mid.avi", lambda number, key: number >= 10)
    with pytest.raises(ClipError, match="begins without a key frame"):
        scan_video(Path(path), None)
    scan = scan_video(Path(path), None, damage=Damage("keep"))
    assert scan.damaged.sum() == scan.corrupt > 0
    assert not scan.damaged[-25:].any()


def test_healthy_videos_have_no_such_warning(whole):
    scan = scan_video(whole, None)
    assert scan.missing_start == 0
    assert extract_windows(Clip("0_real/whole", whole, None, 0, "whole"), "paper").warnings == ()
