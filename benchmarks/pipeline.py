"""Samples per second of the training pipeline, with and without augmentation, in one run.

    python -m benchmarks.pipeline --avlips=DIR [--configs=avlips,avlips-composite] [--threads=2]

Builds records of the clips in a temporary folder and reads them as training does, batches stacked. The sides
take turns on the same order of records. Beside the rates stand the CPU milliseconds per sample, which a busy
machine disturbs less; `balance` draws both classes equally often, without augmentation.
"""

import itertools
import json
import pathlib
import tempfile
import time

import grain
from absl import app, flags

from datasets_tfds.build import build
from datasets_tfds.build_settings import select_settings
from lipfd_jax.data import pipeline
from lipfd_jax.data.augmentation import OFF, AugmentationSettings
from lipfd_jax.data.sources import RecordReader, open_source

_AVLIPS = flags.DEFINE_string("avlips", None, "Clips in the AVLips layout.", required=True)
_CONFIGS = flags.DEFINE_list("configs", ["avlips", "avlips-composite"], "Encodings, as config names.")
_THREADS = flags.DEFINE_integer("threads", 2, "Reading threads.")
_BATCH = flags.DEFINE_integer("batch_size", 8, "Samples per batch.")
_BATCHES = flags.DEFINE_integer("batches", 12, "Batches per turn.")
_TURNS = flags.DEFINE_integer("turns", 4, "Turns of each side.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the figures as JSON.")

SIDES = {
    "plain": {"augmentation": OFF},
    "augmented": {"augmentation": AugmentationSettings()},
    "balanced": {"augmentation": OFF, "balance": True},
}


def records(avlips: str, config: str, folder: str) -> RecordReader:
    """Builds records of the clips and opens them, all in one split."""
    settings = select_settings(config, held_out=False, fractions=(1.0, 0.0, 0.0))
    build(manual_dir=avlips, data_dir=folder, settings=settings, workers=2)
    return open_source(folder, split="train", builder_config=config)


def turn(batches: grain.DatasetIterator) -> tuple[float, float]:
    """Seconds and CPU seconds per sample of a turn that begins with the reading threads at work."""
    next(batches)
    started, used = time.perf_counter(), time.process_time()
    count = sum(len(batch["label"]) for batch in itertools.islice(batches, _BATCHES.value))
    times = (time.perf_counter() - started) / count, (time.process_time() - used) / count
    batches.close()  # else its threads would read on into the next turn
    return times


def measure(source: RecordReader) -> dict[str, dict[str, float]]:
    """Rates of each side: the fastest turn's samples/s, the least CPU ms per sample."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for name in list(SIDES) * _TURNS.value:
        options = {"batch_size": _BATCH.value, "seed": len(times[name]), "threads": _THREADS.value}
        times[name].append(turn(iter(pipeline.make_training_batches(source, **options, **SIDES[name]))))
    return {
        name: {
            "samples_per_second": 1 / min(seconds for seconds, _ in found),
            "cpu_ms": 1000 * min(used for _, used in found),
        }
        for name, found in times.items()
    }


def main(argv: list[str]) -> None:
    """Runs the benchmark."""
    del argv
    figures = {}
    for config in _CONFIGS.value:
        with tempfile.TemporaryDirectory() as folder:
            figures[config] = measure(records(_AVLIPS.value, config, folder))
    print(f"{_THREADS.value} threads, batches of {_BATCH.value}")
    for config, found in figures.items():
        for name, values in found.items():
            ratio = values["samples_per_second"] / found["plain"]["samples_per_second"]
            print(
                f"{config:18} {name:10} {values['samples_per_second']:7.1f} samples/s  {ratio:5.2f} x plain"
                f"  {values['cpu_ms']:6.1f} ms CPU"
            )
    if _OUTPUT.value:
        pathlib.Path(_OUTPUT.value).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
