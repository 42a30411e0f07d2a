"""Synthetic data set: drawn people, each filmed and forged, generated on several cores."""

import csv
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import cv2

from lipfd_jax.listing.synthetic_mark import mark_synthetic
from lipfd_jax.tools.synthetic.clips import FAKE, REAL, draw_take, write_take
from lipfd_jax.tools.synthetic.footage import Difficulty

GENERATOR = "redrawn-mouth"  # the forgeries' generator in clips.csv


def write_dataset(
    output: Path,
    *,
    identities: int,
    seed: int,
    clips_per_identity: int = 1,
    processes: int = 1,
    difficulty: Difficulty | None = None,
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Writes real and forged clips of drawn people in the AVLips layout.

    NAME is the person's number, and with several clips per person PERSON_CLIP; the real and the forged NAME
    are the same footage. `clips.csv` in `output` lists path, label, group (the person) and generator, for
    tools that split by group: the layout alone does not show that two names are one person.

    Args:
      output: folder to write to; it may hold clips only of an equal earlier run, which are written again.
      identities: number of people; person i is the same in data sets of any size with the same seed.
      seed: another seed gives other people.
      clips_per_identity: takes of each person.
      processes: worker processes; 1 generates in this process.
      difficulty: how visible the forgeries are.
      progress: called after each person.

    Raises:
      ValueError: identities, seed, clips_per_identity or processes too small.
      FileExistsError: `output` holds clips that this run would not write.
    """
    _check_counts(identities=identities, clips_per_identity=clips_per_identity, processes=processes)
    if seed < 0:
        raise ValueError(f"seed={seed}: expected 0 or more")
    names = [_name_clips(identity, clips_per_identity) for identity in range(identities)]
    _check_folder(output, {name for group in names for name in group})
    output.mkdir(parents=True, exist_ok=True)
    made_of = {"identities": identities, "seed": seed, "clips_per_identity": clips_per_identity}
    mark_synthetic(output, {"what": "drawn people and their forgeries", **made_of})
    work = partial(_write_person, output, seed, clips_per_identity, difficulty or Difficulty())
    if processes == 1:
        for identity in range(identities):
            work(identity)
            progress()
    else:
        _run_in_parallel(work, identities, processes, progress)
    _write_listing(output / "clips.csv", names)


def _name_clips(identity: int, clips: int) -> list[str]:
    return [str(identity)] if clips == 1 else [f"{identity}_{clip}" for clip in range(clips)]


def _write_person(output: Path, seed: int, clips: int, difficulty: Difficulty, identity: int) -> None:
    for clip, name in enumerate(_name_clips(identity, clips)):
        write_take(draw_take(seed, identity, clip, difficulty), output, name)


def _run_in_parallel(
    work: Callable[[int], None], identities: int, processes: int, progress: Callable
) -> None:
    # fresh processes: a fork would inherit the threads of whatever the caller runs
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
        waiting = [pool.submit(work, identity) for identity in range(identities)]
        try:
            for done in as_completed(waiting):
                done.result()
                progress()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name}={count}: expected at least 1")


def _check_folder(output: Path, names: set[str]) -> None:
    for kind in (REAL, FAKE):
        for found in sorted((output / kind).glob("*")):
            if found.stem not in names:
                raise FileExistsError(
                    f"{found} is not part of this data set: remove it or give an empty --output"
                )


def _write_listing(path: Path, names: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["path", "label", "group", "generator"])
        for identity, group in enumerate(names):
            for name in group:
                rows.writerow([f"{REAL}/{name}.mp4", "real", identity, ""])
                rows.writerow([f"{FAKE}/{name}.mp4", "fake", identity, GENERATOR])
