"""Cache of one video's decoded frames, for perturbing the same frames in many ways."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from lipfd_jax.preprocessing.clock import StreamClock
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.video import DecodedFrames, FramePerturbation, read_frames, shrink_to_tile
from lipfd_jax.vocabulary import WindowConvention

_MAX_BYTES = 400 * 2**20  # frames at full size; larger videos are decoded each time


class FrameCache:
    """Reads as `read_frames` does, but decodes the same frames of the same file only once."""

    def __init__(self, max_bytes: int = _MAX_BYTES):
        self._max_bytes = max_bytes
        self._key: tuple[Path, frozenset[int], WindowConvention] | None = None
        self._whole: DecodedFrames | None = None

    def read(
        self,
        path: Path,
        wanted: Collection[int],
        damage: Damage | None = None,
        perturbation: FramePerturbation | None = None,
        *,
        clock: StreamClock | None = None,
        convention: WindowConvention = "paper",
    ) -> DecodedFrames:
        """Returns the same frames, bit for bit, as `read_frames` with these arguments. Raises ClipError."""
        whole = self.read_whole(path, wanted, damage, clock, convention)
        if whole is None:
            return read_frames(path, wanted, damage, perturbation, clock=clock, convention=convention)
        # A perturbation may draw random numbers, so frames come in the order of decoding.
        frames = {
            n: shrink_to_tile(p if perturbation is None else perturbation(p))
            for n, p in sorted(whole.frames.items())
        }
        return replace(whole, frames=frames)

    def read_whole(
        self,
        path: Path,
        wanted: Collection[int],
        damage: Damage | None = None,
        clock: StreamClock | None = None,
        convention: WindowConvention = "paper",
    ) -> DecodedFrames | None:
        """Returns the frames at full size; None if these would take too much memory. Raises ClipError."""
        key = path, frozenset(wanted), convention
        if key != self._key:
            self._key, self._whole = None, None
            self._whole = self._decode(path, key[1], damage, clock, convention)
            self._key = key
        return self._whole

    def _decode(
        self,
        path: Path,
        wanted: frozenset[int],
        damage: Damage | None,
        clock: StreamClock | None,
        convention: WindowConvention,
    ) -> DecodedFrames | None:
        held = 0

        def count_bytes(frame: np.ndarray) -> np.ndarray:
            nonlocal held
            held += frame.nbytes
            if held > self._max_bytes:
                raise _TooLarge
            return frame

        try:
            return read_frames(
                path, wanted, damage, count_bytes, whole=True, clock=clock, convention=convention
            )
        except _TooLarge:
            return None


class _TooLarge(Exception):
    """The frames take more memory than the cache may keep."""
