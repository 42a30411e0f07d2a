"""Detail at the mouth and size per hour of clip records by the encoding of their frames.

    python -m benchmarks.clips --clips=a.mp4,b.mp4 [--side=448] [--frames=25] [--output=FILE]

Frames of the face are cut as in clip records, encoded and decoded again. Detail is what a 3x3 mean leaves
out, in the box of the mouth: `kept` is its mean absolute value after decoding, `error` the mean absolute
difference to the original's, both as shares of the original's. The last line compares windows cut from
records with those that extraction cuts from the videos.
"""

import dataclasses
import io
import json
import pathlib
from collections.abc import Callable, Sequence

import av
import cv2
import numpy as np
from absl import app, flags

from lipfd_jax.data.clip_windows import cut_window, decode_frame
from lipfd_jax.faces.clip_extraction import ClipForm, extract_face_clips
from lipfd_jax.faces.extraction import extract_face_windows
from lipfd_jax.faces.face_clips import CLIP_SIDE, FaceClip
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.encoding import decode_jpeg, encode_jpeg

_CLIPS = flags.DEFINE_list("clips", None, "Videos of a face.", required=True)
_SIDE = flags.DEFINE_integer("side", CLIP_SIDE, "Pixels of the face's square.")
_FRAMES = flags.DEFINE_integer("frames", 25, "Frames of each video, from its first fit one on.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the numbers as JSON.")
_MOUTH = (0.25, 0.62, 0.75, 0.97)  # of the face's box: left, top, right, bottom


@dataclasses.dataclass(frozen=True)
class Result:
    """An encoding of the frames of one video."""

    kept: float  # detail, as a share of the original's
    error: float
    seen_error: float  # the same where the lip region is shrunk to 160 pixels, as a small detector sees it
    bytes_per_second: float


Code = Callable[[Sequence[np.ndarray]], tuple[Sequence[np.ndarray], int]]  # returns decoded frames and bytes


def code_jpeg(quality: int) -> Code:
    """JPEG with full-resolution chroma."""

    def code(frames: Sequence[np.ndarray]) -> tuple[Sequence[np.ndarray], int]:
        coded = [encode_jpeg(frame, quality) for frame in frames]
        return [decode_jpeg(data) for data in coded], sum(map(len, coded))

    return code


def code_video(codec: str, pixels: str, **options: str) -> Code:
    """A video codec; frames of other sizes are padded to the largest one."""

    def code(frames: Sequence[np.ndarray]) -> tuple[Sequence[np.ndarray], int]:
        height, width = (-(-max(frame.shape[axis] for frame in frames) // 8) * 8 for axis in (0, 1))
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            for frame in frames:
                below, right = height - frame.shape[0], width - frame.shape[1]
                padded = cv2.copyMakeBorder(frame, 0, below, 0, right, cv2.BORDER_REPLICATE)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))
            container.mux(stream.encode())
        file.seek(0)
        with av.open(file) as container:
            decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        pairs = zip(decoded, frames, strict=True)
        return [image[: frame.shape[0], : frame.shape[1]] for image, frame in pairs], file.getbuffer().nbytes

    return code


CODES = {
    **{f"JPEG 4:4:4, quality {quality}": code_jpeg(quality) for quality in (80, 90, 95, 98)},
    **{
        f"H.264 intra 4:4:4, CRF {crf}": code_video(
            "libx264", "yuv444p", g="1", crf=str(crf), preset="veryfast"
        )
        for crf in (8, 14, 20)
    },
    "H.264 4:4:4, CRF 12": code_video("libx264", "yuv444p", crf="12", preset="veryfast"),
    "AV1 intra 4:2:0, CRF 10": code_video("libsvtav1", "yuv420p", g="1", crf="10", preset="8"),
    "AV1 4:2:0, CRF 12": code_video("libsvtav1", "yuv420p", crf="12", preset="8"),
}


def measure_detail(clip: FaceClip, code: Code) -> Result:
    """Encodes the areas of a clip, stored at the highest quality, and compares their detail at the mouth."""
    count = min(_FRAMES.value, len(clip.frames))
    frames = [decode_frame(clip, index) for index in range(count)]
    decoded, size = code(frames)
    kept, error = _compare_detail(clip, frames, decoded)
    _, seen_error = _compare_detail(clip, *(_shrink(clip, images) for images in (frames, decoded)))
    return Result(kept, error, seen_error, float(size / (clip.ends[count - 1] - clip.times[0])))


def _compare_detail(
    clip: FaceClip, frames: Sequence[np.ndarray], decoded: Sequence[np.ndarray]
) -> tuple[float, float]:
    """Returns the detail of decoded frames and its difference, as shares of the detail of the frames."""
    pairs = [
        (_detail(frame, clip, index), _detail(image, clip, index))
        for index, (frame, image) in enumerate(zip(frames, decoded, strict=True))
    ]
    whole = np.mean([np.abs(before).mean() for before, _ in pairs])
    kept = np.mean([np.abs(after).mean() for _, after in pairs])
    error = np.mean([np.abs(after - before).mean() for before, after in pairs])
    return float(kept / whole), float(error / whole)


def _shrink(clip: FaceClip, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Shrinks areas to the scale at which the lip region, 0.45 of the square, has 160 pixels."""
    found = []
    for index, image in enumerate(images):
        side = clip.squares[index, 2] * image.shape[1] / clip.areas[index, 2]
        scale = min(160 / (0.45 * side), 1.0)
        found.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return found


def _detail(image: np.ndarray, clip: FaceClip, index: int) -> np.ndarray:
    left, top, width, _ = clip.areas[index]
    box, scale = clip.boxes[index], image.shape[1] / width
    sides = box[2] - box[0], box[3] - box[1]
    x0, y0, x1, y1 = (
        int((box[k % 2] + share * sides[k % 2] - (left, top)[k % 2]) * scale)
        for k, share in enumerate(_MOUTH)
    )
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return (grey - cv2.blur(grey, (3, 3)))[max(y0, 0) : y1, max(x0, 0) : x1]


def compare_windows(clip: Clip, form: ClipForm) -> tuple[float, float, float, float]:
    """Returns how the windows of a video differ when they are cut from records.

    The mean absolute difference of frames in grey levels, its largest mean of a frame, the largest
    shift in pixels, and the largest difference of the mel strips in levels.
    """
    made = {
        int(number): (found, start)
        for found in extract_face_clips(clip, form).clips
        for start, number in zip(found.starts.tolist(), found.numbers[found.starts], strict=True)
    }
    means, shifts, mels = [], [], []
    for window in extract_face_windows(clip, side=form.side).cut_windows:
        if window.start_frame not in made:
            continue
        cut = cut_window(*made[window.start_frame], side=form.side)
        means += np.abs(cut.frames.astype(int) - window.frames).mean((1, 2, 3)).tolist()
        mels.append(int(np.abs(cut.mel.astype(int) - window.mel).max()))
        for one, other in zip(cut.frames, window.frames, strict=True):
            grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (one, other)]
            shifts.append(float(np.hypot(*cv2.phaseCorrelate(*grey)[0])))
    return float(np.mean(means)), float(np.max(means)), float(np.max(shifts)), float(np.max(mels))


def main(argv: Sequence[str]) -> None:
    """Prints the tables."""
    del argv
    results: dict[str, list[Result]] = {name: [] for name in CODES}
    windows = []
    for path in map(pathlib.Path, _CLIPS.value):
        clip = Clip(f"0_real/{path.stem}", path, None, 0, path.stem)
        try:
            found = extract_face_clips(clip, ClipForm(_SIDE.value, quality=100)).clips[0]
            windows.append(compare_windows(clip, ClipForm(_SIDE.value)))
        except ClipError as error:
            print(error)
            continue
        for name, code in CODES.items():
            results[name].append(measure_detail(found, code))
    print(f"{len(windows)} videos, side {_SIDE.value}")
    print("| frames | detail kept | error | error at 160 pixels | MB per hour |\n|---|---|---|---|---|")
    for name, some in results.items():
        kept, error, seen, size = np.mean([dataclasses.astuple(one) for one in some], axis=0)
        print(f"| {name} | {kept:.2f} | {error:.2f} | {seen:.2f} | {3600 * size / 1e6:,.0f} |")
    means = np.array(windows)
    print(
        f"windows: mean difference {means[:, 0].mean():.2f} grey levels, of the worst frame "
        f"{means[:, 1].max():.2f}; shifted by at most {means[:, 2].max():.2f} pixels (median of the videos' "
        f"largest {np.median(means[:, 2]):.2f}); mel strips differ by at most {means[:, 3].max():.0f} levels"
    )
    if _OUTPUT.value:
        content = {name: [dataclasses.asdict(one) for one in some] for name, some in results.items()}
        pathlib.Path(_OUTPUT.value).write_text(json.dumps({"encodings": content, "windows": windows}) + "\n")


if __name__ == "__main__":
    app.run(main)
