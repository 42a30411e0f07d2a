"""Runs a function over clips in processes; survives damaged clips, a crashing decoder and a killed parent."""

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Generic, TypeVar

import cv2
import threadpoolctl

from lipfd_jax.listing.clips import Clip, ClipError

Value = TypeVar("Value")
_AHEAD = 4  # clips in work per worker, so that a slow one does not stall the others; bounds the memory
_PRELOADED = [
    "lipfd_jax.preprocessing.extraction",
    "lipfd_jax.preprocessing.encoding",
    "librosa.feature.spectral",
]


@dataclass(frozen=True)
class ClipOutcome(Generic[Value]):
    """What became of one clip: a result, or the reason why there is none."""

    clip: Clip
    result: Value | None
    problem: str = ""


def each_clip(
    function: Callable[[Clip], Value], clips: Iterable[Clip], *, workers: int
) -> Iterator[ClipOutcome[Value]]:
    """Outcomes of `function(clip)`, in the order of the clips, by `workers` processes (0: in this one).

    An exception becomes the problem of its clip, and so does the crash of a worker; nothing ends the run.
    `function` and its results must be picklable. In scripts, call it below `if __name__ == "__main__":`, as
    always with processes.
    """
    if workers < 1:
        yield from (_attempt(function, clip) for clip in clips)
        return
    queue = iter(clips)
    pool = _pool(workers)
    pending: deque[tuple[Clip, Future]] = deque()
    try:
        while True:
            for clip in itertools.islice(queue, _AHEAD * workers - len(pending)):
                pending.append((clip, _submitted(pool, function, clip)))
            if not pending:
                return
            clip, future = pending.popleft()
            try:
                outcome = future.result()
            except BrokenProcessPool:
                # Some clip in work took its process down and the pool with it. Try this one by itself, give
                # the others to a new pool.
                outcome = _alone(function, clip)
                pool.shutdown(wait=False, cancel_futures=True)
                pool = _pool(workers)
                pending = deque((c, f if _good(f) else _submitted(pool, function, c)) for c, f in pending)
            yield outcome
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, function: Callable[[Clip], Value], clip: Clip) -> Future:
    try:
        return pool.submit(_attempt, function, clip)
    except BrokenProcessPool as error:  # the pool broke since we last looked; found out when its turn comes
        future: Future = Future()
        future.set_exception(error)
        return future


def _good(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _attempt(function: Callable[[Clip], Value], clip: Clip) -> ClipOutcome[Value]:
    try:
        return ClipOutcome(clip, function(clip))
    except (ClipError, OSError) as error:
        return ClipOutcome(clip, None, str(error))
    except (
        Exception
    ) as error:  # a fault of ours, but one clip's; hours of work on the others are not lost to it
        return ClipOutcome(clip, None, f"{clip.path}: unexpected {type(error).__name__}: {error}")


def _alone(function: Callable[[Clip], Value], clip: Clip) -> ClipOutcome[Value]:
    with _pool(1) as pool:
        try:
            return pool.submit(_attempt, function, clip).result()
        except BrokenProcessPool:
            return ClipOutcome(clip, None, f"{clip.path}: the process that decoded it crashed or was killed")


def _pool(workers: int) -> ProcessPoolExecutor:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(_PRELOADED)  # imports cost a second or two; this pays them once
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker)


def _prepare_worker() -> None:
    """One thread per worker, no traceback from each on Ctrl-C, and no worker that outlives its parent."""
    cv2.setNumThreads(0)
    threadpoolctl.threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
