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
from lipfd_jax.preprocessing.clip_task import ClipOutcome, MachineError, Task, Value, attempt_task

_AHEAD = 4  # clips in work per worker, so that a slow one does not stall the others; bounds the memory
_SCARCE = 512 << 20  # bytes: with less memory free than this, a worker that dies is not the clip's fault
_PRELOADED = [
    "lipfd_jax.preprocessing.extraction",
    "lipfd_jax.preprocessing.encoding",
]


def map_clips(
    function: Callable[[Task], Value], clips: Iterable[Task], *, workers: int
) -> Iterator[ClipOutcome[Value]]:
    """Outcomes of `function(clip)`, in the order of the clips, by `workers` processes (0: in this one).

    Either way one clip gets a bounded share of memory, on Linux; meanwhile other threads of this process are
    held to that bound too.
    What is in a clip becomes its problem and does not end the run: a ClipError, a library's own error on a
    strange file, or the crash of its worker, twice and alone. Trouble of the machine ends it, with the clips
    in work undone: OSError (the disk), MemoryError, MachineError (killed for memory).
    `function` and its results must be picklable. In scripts, call it below `if __name__ == "__main__":`, as
    always with processes.
    """
    if isinstance(clips, Sized):
        if not len(clips):
            return
        workers = min(workers, len(clips))  # all of them start at once
    if workers < 1:
        for module in _PRELOADED:  # whose memory is no clip's
            importlib.import_module(module)
        with _record_interrupts() as interrupted:
            for clip in clips:
                outcome = attempt_task(function, clip, base=memory_limit.private_bytes())
                if interrupted:
                    raise KeyboardInterrupt
                yield outcome
        return
    queue = iter(clips)
    pool, kills = _make_pool(workers), memory_limit.count_oom_kills()
    pending: deque[tuple[Task, Future]] = deque()
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
                # Some clip in work took its process down and the pool with it. Try this one by itself, give
                # the others to a new pool.
                outcome = _retry_alone(function, clip, kills)
                pool.shutdown(wait=False, cancel_futures=True)
                pool = _make_pool(workers)
                pending = deque((c, f if _has_result(f) else _submit(pool, function, c)) for c, f in pending)
            yield outcome
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _record_interrupts() -> Iterator[list[int]]:
    """A list that fills with the interrupts (Ctrl-C) seen: libraries' callbacks can swallow the exception."""
    seen: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield seen
        return

    def remember(number: int, frame: object) -> None:
        seen.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, remember)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def _submit(pool: ProcessPoolExecutor, function: Callable[[Task], Value], clip: Task) -> Future:
    try:
        return pool.submit(_attempt_bounded, function, clip)
    except BrokenProcessPool as error:  # the pool broke since we last looked; found out when its turn comes
        future: Future = Future()
        future.set_exception(error)
        return future


def _has_result(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _retry_alone(function: Callable[[Task], Value], clip: Task, kills: int) -> ClipOutcome[Value]:
    """The outcome of a clip that may have taken its worker down: tried by itself, twice if need be."""
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
    """Raises MachineError where the system killed for memory since `kills` were counted, or has little."""
    if memory_limit.count_oom_kills() > kills or memory_limit.available_bytes() < _SCARCE:
        free = memory_limit.available_bytes() >> 20
        raise MachineError(f"a worker died and memory is short ({free} MB are free); use fewer --workers")


_base = 0  # bytes of memory a worker had before its first clip


def _attempt_bounded(function: Callable[[Task], Value], clip: Task) -> ClipOutcome[Value]:
    return attempt_task(function, clip, base=_base)


def _make_pool(workers: int) -> ProcessPoolExecutor:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(_PRELOADED)  # imports cost a second or two; this pays them once
    return ProcessPoolExecutor(workers, mp_context=context, initializer=prepare_worker)


def prepare_worker() -> None:
    """One thread per worker, no traceback from each on Ctrl-C, and no worker that outlives its parent."""
    global _base
    cv2.setNumThreads(0)
    threadpoolctl.threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _base = memory_limit.private_bytes()


def _exit_with_parent() -> None:
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
