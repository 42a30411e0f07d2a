"""Runs one function over many items in processes, and goes on when a process dies."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

In = TypeVar("In")
Out = TypeVar("Out")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_IN_FLIGHT = 4  # tasks handed out per worker: enough to keep it busy, few enough to stop soon


class Crashed(RuntimeError):
    """The process that worked on an item died (a library's crash, or killed for its memory)."""


def run(
    function: Callable[[In], Out], items: Sequence[In], workers: int
) -> Iterator[tuple[In, Out | Crashed]]:
    """Yields (item, result) as they are finished.

    With workers 0 everything runs in this process, otherwise in `workers` fresh ones; where one dies, the
    items it may have had in hand are tried again one by one, alone, and Crashed stands for the result of
    those that kill their process again. The function must be importable (the processes are spawned, not
    forked: video and numeric libraries keep threads and locks that do not survive a fork).
    """
    if workers == 0:
        for item in items:
            yield item, function(item)
        return
    suspects: list[In] = []
    todo = list(items)
    while todo:
        done = []
        for item, result in _pool(function, todo, workers):
            done.append(item)
            if isinstance(result, Crashed):
                suspects.append(item)
            else:
                yield item, result
        finished = set(map(id, done))
        todo = [item for item in todo if id(item) not in finished]
    for item in suspects:
        yield from _pool(function, [item], 1)


def _pool(
    function: Callable[[In], Out], items: Sequence[In], workers: int
) -> Iterator[tuple[In, Out | Crashed]]:
    """One pool's life; it ends early, with Crashed for the items in hand, when one of its processes dies."""
    for name in _ONE_THREAD:  # read by the libraries when the new processes import them
        os.environ.setdefault(name, "1")
    pool = futures.ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    waiting = iter(items)
    running: dict[futures.Future, In] = {}
    try:
        for item in waiting:
            running[pool.submit(function, item)] = item
            if len(running) < _IN_FLIGHT * workers:
                continue
            yield from _collect(running)
        while running:
            yield from _collect(running)
    except BrokenProcessPool:
        for item in running.values():
            yield (
                item,
                Crashed("the process that read it died, probably in a video library or for lack of memory"),
            )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _collect(running: dict[futures.Future, In]) -> Iterator[tuple[In, Out]]:
    """Yields what is finished, waiting for at least one."""
    finished, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
    for future in sorted(finished, key=lambda f: f.exception() is not None):
        result = future.result()
        yield running.pop(future), result


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent winds up
    cv2.setNumThreads(0)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A killed parent can't stop its workers, so they watch it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
