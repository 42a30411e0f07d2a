"""Windows per second of an evaluation from records to metrics, against the forward pass alone, in one run.

    python -m benchmarks.evaluation [--data=DIR] [--windows=32] [--batch_size=8] [--encoder=vit_l14] \
        [--backbone=resnet50] [--dtype=float32] [--turns=2] [--output=FILE]

Weights are random: they change no time. Without --data, windows are drawn and stored as PNGs of 2500x1000.
The forward side takes composites that lie on the device already, one batch after the other. The other side
reads, decodes, scores, writes scores.csv, computes all figures with intervals (1,000 draws) and writes the
files, but for the report. `bootstrap` times the intervals for as many windows and sources as the official
validation set has.
"""

import dataclasses
import functools
import json
import pathlib
import shutil
import tempfile
import time

import jax
import numpy as np
from absl import app, flags
from flax import nnx

from lipfd_jax.data.sources import RecordReader, open_source
from lipfd_jax.evaluation.metrics.bootstrap import compute_intervals
from lipfd_jax.evaluation.metrics.scores import read_scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.predict import RecordSubset, predict_records, score_source
from lipfd_jax.evaluation.report.metrics_files import format_metrics_csv
from lipfd_jax.inference.program import make_forward
from lipfd_jax.inference.runner import ProgramRunner
from lipfd_jax.models.inputs import RELEASED
from lipfd_jax.models.lipfd import LipFD, ModelConfig
from lipfd_jax.runtime.mesh import make_mesh, put_on_devices, replicated_sharding
from lipfd_jax.tools.rehearsal import draw_composites
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

_DATA = flags.DEFINE_string("data", None, "Folder of composites or TFDS build; drawn if not given.")
_SPLIT = flags.DEFINE_string("split", "test", "Split of a build.")
_WINDOWS = flags.DEFINE_integer("windows", 32, "Windows per turn.")
_BATCH = flags.DEFINE_integer("batch_size", 8, "Windows at once.")
_THREADS = flags.DEFINE_integer("threads", 2, "Reading threads.")
_ENCODER = flags.DEFINE_string("encoder", "vit_l14", "Image encoder.")
_BACKBONE = flags.DEFINE_string("backbone", "resnet50", "Backbone.")
_DTYPE = flags.DEFINE_string("dtype", "float32", "Number format of the network.")
_TURNS = flags.DEFINE_integer("turns", 2, "Turns of each side; the fastest counts.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the figures as JSON.")


def model() -> LipFD:
    """The network, with random weights."""
    config = ModelConfig(_ENCODER.value, _BACKBONE.value, dataclasses.replace(RELEASED), dtype=_DTYPE.value)
    return LipFD(config, rngs=nnx.Rngs(0))


def windows(folder: pathlib.Path) -> RecordReader:
    """As many records as a turn takes, over and over where there are fewer."""
    if _DATA.value:
        source = open_source(_DATA.value, split=_SPLIT.value)
    else:
        draw_composites(folder, videos=8)
        source = open_source(str(folder))
    return _Renamed(source, np.arange(_WINDOWS.value) % len(source))


class _Renamed(RecordSubset):
    """Repeated records under names of their own."""

    def __getitem__(self, i: int) -> dict:
        record = super().__getitem__(i)
        video = record["video"] if isinstance(record["video"], str) else record["video"].decode()
        return {**record, "video": f"{video}-{i}"}


def end_to_end(run: functools.partial, source: RecordReader, folder: pathlib.Path) -> dict[str, float]:
    """Seconds of scoring and of all that follows, into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    started = time.perf_counter()
    score_source(run, source, folder)
    scored = time.perf_counter()
    format_metrics_csv(summarise_scores(read_scores(folder / "scores.csv")))
    return {"scoring": scored - started, "metrics": time.perf_counter() - scored}


def forward_alone(states: tuple, forward: functools.partial) -> float:
    """Seconds for the same number of windows that need no reading."""
    mesh = make_mesh()
    noise = np.random.default_rng(0).integers(0, 256, (_BATCH.value, *COMPOSITE_SHAPE), np.uint8)
    composites = put_on_devices({"composite": noise}, mesh)["composite"]
    started = time.perf_counter()
    for _ in range(-(-_WINDOWS.value // _BATCH.value)):
        jax.block_until_ready(forward(states, composites))
    return time.perf_counter() - started


def bootstrap(count: int = 3406, sources: int = 744) -> float:
    """Seconds of the intervals of windows and of videos with 1,000 draws."""
    random = np.random.default_rng(0)
    place = np.sort(random.integers(0, sources, count))
    labels = place % 2
    scores = np.clip(random.normal(0.35 + 0.3 * labels, 0.2), 0, 1)
    videos = np.unique(place)
    started = time.perf_counter()
    compute_intervals(labels, scores, place, 0.5)
    compute_intervals(videos % 2, scores[: len(videos)], videos, 0.5)
    return time.perf_counter() - started


def main(_: list[str]) -> None:
    """Measures, prints, and writes what was asked for."""
    mesh = make_mesh()
    graph, state = nnx.split(model())
    states = (jax.device_put(state, replicated_sharding(mesh)),)
    submit = ProgramRunner(graph, states, mesh).submit
    run = functools.partial(predict_records, submit, batch_size=_BATCH.value, threads=_THREADS.value)
    forward = make_forward(graph, mesh, "auto")
    sides: dict[str, list[float]] = {"forward": [], "scoring": [], "metrics": []}
    with tempfile.TemporaryDirectory() as folder:
        source = windows(pathlib.Path(folder) / "windows")
        forward_alone(states, forward)  # compiles
        for _ in range(_TURNS.value):
            sides["forward"].append(forward_alone(states, forward))
            for name, seconds in end_to_end(run, source, pathlib.Path(folder) / "out").items():
                sides[name].append(seconds)
    best = {name: min(seconds) for name, seconds in sides.items()}
    rates = {"forward": _WINDOWS.value / best["forward"], "scoring": _WINDOWS.value / best["scoring"]}
    figures = {
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "windows": _WINDOWS.value,
        "windows per second": rates,
        "scoring / forward": rates["scoring"] / rates["forward"],
        "seconds of metrics": best["metrics"],
        "seconds of bootstrap, 3,406 windows and 744 videos": min(bootstrap() for _ in range(3)),
    }
    print(json.dumps(figures, indent=2))
    if _OUTPUT.value:
        pathlib.Path(_OUTPUT.value).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    app.run(main)
