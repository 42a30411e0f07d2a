"""Damages videos and archives at random and builds them: what is refused, what is built, memory and time.

python -m benchmarks.mutations [--count=100] [--kinds=mp4,zip,...]
"""

import collections
import contextlib
import io
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from absl import app, flags

from benchmarks.processes import peak_of_tree
from datasets_tfds import report
from datasets_tfds.avlips.make_dummy_data import FOLDER, chirp, moving_bars
from datasets_tfds.build import build
from datasets_tfds.build_settings import BuildError, select_settings
from lipfd_jax.listing.clips import ClipError

_COUNT = flags.DEFINE_integer("count", 100, "mutations of each kind")
_KINDS = flags.DEFINE_list("kinds", None, "which kinds; default all")
_SEED = flags.DEFINE_integer("seed", 0, "of the mutations")

VIDEOS = {  # container: codecs of video and sound
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "pcm_s16le"),
    "mkv": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mpeg4", "mp3"),
    "mpg": ("mpeg1video", "mp2"),
    "ts": ("libx264", "aac"),
    "flv": ("flv", "aac"),
    "wmv": ("wmv2", "wmav2"),
    "3gp": ("mpeg4", "aac"),
}
ARCHIVES = ("zip", "stored.zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def mutated(whole: bytes, draw: random.Random) -> bytes:
    """A damaged copy: flipped bits, other bytes, a cut, a lost or doubled stretch, or an absurd number."""
    data = bytearray(whole)
    place = draw.randrange(len(data))
    kind = draw.choice(("bits", "bytes", "cut", "lost", "doubled", "number"))
    if kind == "bits":
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == "bytes":
        for _ in range(draw.randint(1, 30)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    elif kind == "cut":
        del data[place:]
    elif kind == "lost":
        del data[place : place + draw.randint(1, 2000)]
    elif kind == "doubled":
        data[place:place] = data[place : place + draw.randint(1, 2000)]
    else:  # near the start, where sizes and rates stand
        place = draw.randrange(min(len(data), 2000))
        data[place : place + 4] = draw.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
    return bytes(data) or b"\0"


def video(suffix: str, folder: pathlib.Path) -> bytes:
    """A clip of two seconds with sound."""
    path = folder / f"whole.{suffix}"
    video_codec, sound = VIDEOS[suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video_codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        track = container.add_stream(sound, rate=48000 if sound == "libopus" else 44100, layout="stereo")
        if sound not in ("pcm_s16le", "libopus"):
            track.bit_rate = 128_000
        for frame in moving_bars(1, count=50, size=96):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
        samples = np.tile(np.int16(chirp(1, seconds=2, rate=track.rate) * 30000), (2, 1)).T.reshape(1, -1)
        piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="stereo")
        piece.sample_rate, piece.pts, piece.time_base = track.rate, 0, Fraction(1, track.rate)
        container.mux(track.encode(piece))
        container.mux(track.encode())
    return path.read_bytes()


def archive(kind: str) -> bytes:
    """The dummy data, packed."""
    file = io.BytesIO()
    if kind.endswith("zip"):
        method = zipfile.ZIP_STORED if kind.startswith("stored") else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(file, "w", method) as packed:
            for path in sorted(FOLDER.rglob("*.*")):
                packed.write(path, path.relative_to(FOLDER))
    else:
        with tarfile.open(fileobj=file, mode=f"w:{kind[4:]}") as packed:
            packed.add(FOLDER, "AVLips")
    return file.getvalue()


def build_videos(suffix: str, count: int, draw: random.Random, folder: pathlib.Path) -> collections.Counter:
    """Builds `count` damaged videos and a whole one in one command; counts what became of them."""
    whole = video(suffix, folder)
    data = folder / "data"
    (data / "0_real").mkdir(parents=True)
    (data / "0_real" / f"whole.{suffix}").write_bytes(whole)
    for number in range(count):
        (data / "0_real" / f"{number}.{suffix}").write_bytes(mutated(whole, draw))
    command = [sys.executable, "-m", "lipfd_jax", "build", "--workers=1", "--fractions=1,0,0"]
    command += ["--noheld_out", f"--manual_dir={data}", f"--data_dir={folder}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return collections.Counter({f"the command failed: {done.stderr.splitlines()[-1]}": 1})
    made = report.read_report(next(folder.glob("avlips/*/*")))
    reasons = collections.Counter(_reason(problem["reason"]) for problem in made["problems"])
    assert not any(problem["name"] == "0_real/whole" for problem in made["problems"])
    return collections.Counter({"built": count + 1 - sum(reasons.values())}) + reasons


def build_archives(kind: str, count: int, draw: random.Random, folder: pathlib.Path) -> collections.Counter:
    """Builds the dummy data from `count` damaged archives, one after another; counts what became of them."""
    whole = archive(kind)
    expected = _built(whole, kind, folder)
    return collections.Counter(
        "built as undisturbed" if got == expected else got if isinstance(got, str) else "built, other records"
        for got in (_built(mutated(whole, draw), kind, folder) for _ in range(count))
    )


def _built(content: bytes, kind: str, folder: pathlib.Path) -> dict | str:
    """The sums of the shards of a build from an archive, or why there is none."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    packed = folder / f"data.{kind}"
    packed.write_bytes(content)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder = build(
                manual_dir=str(packed),
                data_dir=str(folder / "out"),
                settings=select_settings("avlips"),
                workers=0,
            )
    except (ClipError, BuildError) as error:
        return _reason(str(error))
    return report.read_report(builder.data_path)["shards"]


def _reason(text: str) -> str:
    """A reason without what differs between files."""
    text = re.sub(r"^\S+: ", "", text)
    return re.sub(r"[0-9.]+(?:e[+-]?[0-9]+)?|'[^']*'", "#", text.splitlines()[0])[:70]


@contextlib.contextmanager
def _measured() -> Iterator[dict[str, float]]:
    found, started = {}, time.monotonic()
    with peak_of_tree() as peak:
        yield found
    found |= {"seconds": time.monotonic() - started, "peak": peak[0] / 1e6}


def main(argv: list[str]) -> None:
    """Prints a line for each kind and outcome."""
    del argv
    for kind in _KINDS.value or (*VIDEOS, *ARCHIVES):
        draw = random.Random(f"{_SEED.value}/{kind}")
        run = build_videos if kind in VIDEOS else build_archives
        with tempfile.TemporaryDirectory() as folder, _measured() as measured:
            counts = run(kind, _COUNT.value, draw, pathlib.Path(folder))
        print(f"{kind}: {measured['seconds']:.0f} s, largest process {measured['peak']:.0f} MB", flush=True)
        for reason, number in counts.most_common():
            print(f"  {number:4} {reason}", flush=True)


if __name__ == "__main__":
    app.run(main)
