"""Recodes a video as H.264 at a given quality, as platforms do with uploads."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av

from lipfd_jax.preprocessing.clock import StreamClock
from lipfd_jax.preprocessing.containers import Damage, decode_frames, open_container
from lipfd_jax.preprocessing.pictures import Pictures, to_rgb
from lipfd_jax.preprocessing.video import check_frame_size, find_video_stream
from lipfd_jax.vocabulary import WindowConvention

# Equal frames give equal bytes: one thread, and arithmetic that is the same on every processor. Without the
# latter, x264's (core 165) AVX-512 code gives different bytes in nearly every run, even on one thread.
REPEATABLE = {"threads": "1", "x264-params": "cpu-independent=1"}
_CLOCK = 90_000  # ticks per second


@contextmanager
def recode_video(
    path: Path, crf: int, convention: WindowConvention = "paper", clock: StreamClock | None = None
) -> Iterator[Path]:
    """Yields a temporary file with the video's frames encoded by libx264 at rate factor `crf`.

    Frames are as `pictures.to_rgb` shows them in this convention. Their order and their times stay; it has no
    sound. Sizes with an odd side are encoded without chroma subsampling, which needs even ones. `clock` names
    the video stream. Raises ClipError.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "recoded.mp4"
        with av.open(str(target), "w") as output:
            _encode_video(path, output, crf, convention, clock)
        yield target


def _encode_video(
    path: Path,
    output: av.container.OutputContainer,
    crf: int,
    convention: WindowConvention,
    clock: StreamClock | None,
) -> None:
    stream, last = None, -1
    reformatter = av.video.reformatter.VideoReformatter()
    with open_container(path) as container:
        source = find_video_stream(path, container, clock)
        decoded = decode_frames(path, container, source, Damage("keep"))
        for number, frame in enumerate(Pictures(path, source, convention).prepare(decoded)):
            check_frame_size(path, frame)
            image = av.VideoFrame.from_ndarray(to_rgb(frame, reformatter, convention), format="rgb24")
            if stream is None:
                stream = _add_stream(output, image, source.guessed_rate or Fraction(25), crf)
                begin = frame.time or 0.0
            seconds = number / float(stream.rate) if frame.time is None else frame.time - begin
            last = max(round(seconds * _CLOCK), last + 1)
            image.pts, image.time_base = last, Fraction(1, _CLOCK)
            output.mux(stream.encode(image))
        if stream is not None:
            output.mux(stream.encode(None))


def _add_stream(
    output: av.container.OutputContainer, image: av.VideoFrame, rate: Fraction, crf: int
) -> av.VideoStream:
    stream = output.add_stream("libx264", rate=rate, options={"crf": str(crf)} | REPEATABLE)
    stream.width, stream.height = image.width, image.height
    stream.pix_fmt = "yuv444p" if image.width % 2 or image.height % 2 else "yuv420p"
    stream.codec_context.time_base = Fraction(1, _CLOCK)
    return stream
