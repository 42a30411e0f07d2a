"""Makes the part of every video in parallel, goes on where it was stopped, and says how long it will take."""

import functools
import pathlib
import shutil
import time
from collections.abc import Sequence

from tqdm import tqdm

from datasets_tfds import finished_videos
from datasets_tfds.errors import BuildError
from datasets_tfds.finished_videos import VideoOutcome
from datasets_tfds.settings import Settings
from lipfd_jax.listing.clips import Item
from lipfd_jax.preprocessing.workers import each_clip

_SAMPLE = 8  # videos from all over the data that are made first, for the estimate
_LONG = 40  # builds of fewer videos are not worth one


def finish_videos(
    items: Sequence[Item], settings: Settings, folder: pathlib.Path, worker_count: int
) -> dict[str, VideoOutcome]:
    """Returns {video id: what became of it}, making the parts in `folder` that are not there yet.

    Raises:
      BuildError: the disk is too small, by an estimate from the first videos.
    """
    known = {item.video: finished_videos.finished(item, settings, folder) for item in items}
    outcomes = {video: outcome for video, outcome in known.items() if outcome is not None}
    todo = _sample_first([item for item in items if item.video not in outcomes])
    if outcomes:
        print(f"{len(outcomes)} of {len(items)} videos were finished before", flush=True)
    function = functools.partial(_timed, settings=settings, folder=folder)
    seconds: list[float] = []
    with tqdm(total=len(items), initial=len(outcomes), unit="video", smoothing=0.05) as bar:
        for done in each_clip(function, todo, workers=worker_count):
            video = done.clip.video
            outcome, taken = done.result or (VideoOutcome(video, (), 0, problem=done.problem), 0.0)
            outcomes[video] = outcome
            seconds.append(taken)
            bar.update()
            if len(seconds) == _SAMPLE and len(todo) >= _LONG:
                per_video = sum(seconds) / _SAMPLE / max(worker_count, 1)
                bar.write(_estimate(outcomes, items, per_video * (len(todo) - _SAMPLE), folder))
    return outcomes


def _timed(item: Item, settings: Settings, folder: pathlib.Path) -> tuple[VideoOutcome, float]:
    started = time.perf_counter()
    return finished_videos.finish(item, settings, folder), time.perf_counter() - started


def _sample_first(items: list[Item]) -> list[Item]:
    """The same items, some from all over the list in front."""
    if len(items) < _LONG:
        return items
    sample = set(range(0, len(items), -(-len(items) // _SAMPLE)))
    rest = [item for index, item in enumerate(items) if index not in sample]
    return [items[index] for index in sorted(sample)] + rest


def _estimate(
    outcomes: dict[str, VideoOutcome], items: Sequence[Item], seconds: float, folder: pathlib.Path
) -> str:
    """A line about time and disk. Raises BuildError where the disk will not do."""
    records = sum(outcome.bytes for outcome in outcomes.values()) / len(outcomes) * len(items)
    windows = sum(len(outcome.keys) for outcome in outcomes.values()) / len(outcomes) * len(items)
    there = sum(path.stat().st_size for path in folder.glob("*/*.part"))
    needed, free = (
        2 * records - there,
        shutil.disk_usage(folder).free,
    )  # the parts, and the shards made of them
    if needed > free:
        raise BuildError(
            f"about {needed / 1e9:.1f} GB are needed on the way, {free / 1e9:.1f} GB are free at {folder}; "
            "choose another data_dir or the lossy encoding, then run the command again: what is done is kept"
        )
    return (
        f"about {seconds / 60:.0f} minutes left; {windows:.0f} windows, {records / 1e9:.2f} GB of records, "
        f"twice that on the way ({free / 1e9:.1f} GB are free)"
    )
