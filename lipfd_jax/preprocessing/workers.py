"""Runs a function over clips in processes; survives damaged clips, a crashing decoder and a killed parent."""

import contextlib
import importlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import cv2
import threadpoolctl

from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.preprocessing.clip_task import ClipOutcome, Value, Work, attempt_task
from lipfd_jax.runtime.interrupts import record_interrupts
from lipfd_jax.storage.errors import MachineError

_AHEAD = 4  # pending clips per worker, so that a slow one does not stall the others; bounds memory
_SCARCE = 512 << 20  # bytes: with less memory free than this, a dying worker is not the clip's fault
_PRELOADED = [
    "lipfd_jax.preprocessing.extraction",
    "lipfd_jax.preprocessing.encoding",
]


def map_clips(
    function: Callable[[Work], Value], clips: Iterable[Work], *, workers: int
) -> Iterator[ClipOutcome[Work, Value]]:
    """Yields outcomes of `function(clip)` in the order of the clips, from `workers` processes (0: this one).

    On Linux one clip gets a bounded share of memory in either case; in this process the limit applies to its
    other threads too. Faults of a clip become its problem and do not end the run: a ClipError, a library's
    error on a malformed file, or a crash of its worker, twice and alone. Failures of the machine end it, with
    pending clips undone: OSError (the disk), MemoryError, MachineError (killed for memory). `function` and
    its results must be picklable. In scripts, call it under `if __name__ == "__main__":`.
    """
    if isinstance(clips, Sized):
        if not len(clips):
            return
        workers = min(workers, len(clips))  # all of them start at once
    if workers < 1:
        for module in _PRELOADED:  # their memory is not a clip's
            importlib.import_module(module)
        with record_interrupts() as interrupted:
            for clip in clips:
                outcome = attempt_task(function, clip, base=memory_limit.private_bytes())
                if interrupted:
                    raise KeyboardInterrupt
                yield outcome
        return
    queue = iter(clips)
    pool, kills = _make_pool(workers), memory_limit.count_oom_kills()
    pending: deque[tuple[Work, Future]] = deque()
    try:
        while True:
            for clip in itertools.islice(queue, _AHEAD * workers - len(pending)):
                pending.append((clip, _submit(pool, function, clip)))
            if not pending:
                return
            clip, future = pending.popleft()
            try:
                outcome = future.result()
            except BrokenProcessPool:
                # A pending clip crashed its process and so broke the pool. Try this one alone and submit the
                # others to a new pool.
                outcome = _retry_alone(function, clip, kills)
                pool.shutdown(wait=False, cancel_futures=True)
                pool = _make_pool(workers)
                pending = deque((c, f if _has_result(f) else _submit(pool, function, c)) for c, f in pending)
            yield outcome
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, function: Callable[[Work], Value], clip: Work) -> Future:
    try:
        return pool.submit(_attempt_bounded, function, clip)
    except BrokenProcessPool as error:  # the pool broke meanwhile; handled when the clip's turn comes
        future: Future = Future()
        future.set_exception(error)
        return future


def _has_result(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _retry_alone(function: Callable[[Work], Value], clip: Work, kills: int) -> ClipOutcome[Work, Value]:
    """Returns the outcome of a clip that may have crashed its worker: run alone, up to twice."""
    for _ in range(2):
        _check_memory(kills)
        with _make_pool(1) as pool, contextlib.suppress(BrokenProcessPool):
            return pool.submit(_attempt_bounded, function, clip).result()
    _check_memory(kills)
    reason = (
        "the process that decoded it crashed or was killed twice, with memory free and no other clip in it"
    )
    return ClipOutcome(clip, None, f"{clip.path}: {reason}")


def _check_memory(kills: int) -> None:
    """Raises MachineError if the system killed for memory since `kills` were counted, or if memory is
    short.
    """
    if memory_limit.count_oom_kills() > kills or memory_limit.available_bytes() < _SCARCE:
        free = memory_limit.available_bytes() >> 20
        raise MachineError(f"a worker died and memory is short ({free} MB are free); use fewer --workers")


_base = 0  # bytes allocated by a worker before its first clip


def _attempt_bounded(function: Callable[[Work], Value], clip: Work) -> ClipOutcome[Work, Value]:
    return attempt_task(function, clip, base=_base)


def _make_pool(workers: int) -> ProcessPoolExecutor:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(_PRELOADED)  # once per run, as imports take a second or two
    return ProcessPoolExecutor(workers, mp_context=context, initializer=prepare_worker)


def prepare_worker() -> None:
    """Limits a worker to one thread, hides its traceback on Ctrl-C, and ends it with its parent."""
    global _base
    cv2.setNumThreads(0)
    threadpoolctl.threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _base = memory_limit.private_bytes()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this runs in workers only
    wait([parent.sentinel])
    os._exit(1)
