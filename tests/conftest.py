"""Fixtures for all tests: reference data, drawn composites and videos, and a cache of compiled programs."""

import os
import pathlib
import signal

import pytest
from absl import flags

flags.FLAGS.mark_as_parsed()  # Grain's prefetching reads absl flags, which pytest never parses

# Compiled programs are kept for the next session, and for commands that tests start. Set before jax is
# imported. A folder for each number of cores: a CPU's program is made for the cores of the process.
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
_CACHE = pathlib.Path(__file__).parents[1] / ".pytest_cache" / "xla" / f"{_CORES}_cores"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

# The files that take longest in either tier, the longest first.
LONGEST = (
    "tests/training/test_processes.py",
    "tests/training/test_loop.py",
    "tests/models/test_parity.py",
    "tests/evaluation/test_processes.py",
    "tests/kernels/test_variants.py",
    "tests/evaluation/test_evaluate.py",
    "tests/models/test_lipfd.py",
    "tests/training/test_step.py",
    "tests/training/test_compiled_step.py",
    "tests/exporting/test_exports.py",
)


def pytest_collection_modifyitems(items):
    """Begins with the longest files, so that at the end no worker is left alone with one."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(places)))


def pytest_configure(config):
    """Restores the handler of Ctrl-C, which background jobs of a shell ignore: some tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _folder(variable: str) -> pathlib.Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: it names the folder of reference data this test compares with")
    folder = pathlib.Path(value)
    if not folder.is_dir():
        pytest.skip(f"{variable}={value} is not a folder")
    return folder


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """The recorded outputs of the released code (LIPFD_GOLDEN)."""
    return _folder("LIPFD_GOLDEN")


@pytest.fixture(scope="session")
def media() -> pathlib.Path:
    """Real and forged clips (LIPFD_MEDIA)."""
    return _folder("LIPFD_MEDIA")


@pytest.fixture(scope="session")
def composites(tmp_path_factory) -> pathlib.Path:
    """A folder of 12 composites, half of them fake and brighter in the middle of each frame."""
    from lipfd_jax.tools.rehearsal import draw_composites  # imports jax, which must wait for the above

    folder = tmp_path_factory.mktemp("composites")
    draw_composites(folder, videos=6)
    return folder


@pytest.fixture(scope="session")
def validation(tmp_path_factory) -> pathlib.Path:
    """Six more composites of the same kind."""
    from lipfd_jax.tools.rehearsal import draw_composites

    folder = tmp_path_factory.mktemp("validation")
    draw_composites(folder, videos=3, seed=1)
    return folder


@pytest.fixture(scope="session")
def film():
    """Writes a video of pictures and sound: film(path, pictures, fps=25, sound=None, rate=16000) -> path."""
    from fractions import Fraction

    import av
    import numpy as np

    def write(path, pictures, *, fps=25, sound=None, rate=16000, title=""):
        with av.open(str(path), "w") as container:
            container.metadata["title"] = title
            stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": "25"})
            track = container.add_stream("aac", rate=rate, layout="mono") if sound is not None else None
            for number, picture in enumerate(pictures):
                if not number:
                    stream.height, stream.width = picture.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
            if track is not None:
                piece = av.AudioFrame.from_ndarray(np.float32(sound)[None], format="fltp", layout="mono")
                piece.sample_rate, piece.time_base, piece.pts = rate, Fraction(1, rate), 0
                container.mux(track.encode(piece))
                container.mux(track.encode())
        return path

    return write


@pytest.fixture(scope="session")
def spoil():
    """Damages a file's picture or sound at a time: spoil(path, "video" or "audio", seconds)."""
    import av

    def damage(path, kind, seconds):
        with av.open(str(path)) as container:
            packets = [p for p in container.demux(container.streams.best(kind)) if p.size]
        packet = min(packets, key=lambda p: abs(float(p.pts * p.time_base) - seconds))
        data = bytearray(path.read_bytes())
        data[packet.pos + packet.size // 3 : packet.pos + packet.size] = bytes(packet.size - packet.size // 3)
        path.write_bytes(data)

    return damage


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> pathlib.Path:
    """Folder of a build of the dummy data, 8 clips with 8 windows each; not to be changed."""
    from datasets_tfds import build
    from datasets_tfds.avlips.make_dummy_data import FOLDER
    from datasets_tfds.build_settings import BuildSettings

    folder = tmp_path_factory.mktemp("built")
    build.build(manual_dir=str(FOLDER), data_dir=str(folder), settings=BuildSettings(), workers=0)
    return folder
