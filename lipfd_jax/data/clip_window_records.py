"""Windows cut from clip records as records of their own, for evaluation: spread as builds spread them."""

import functools
from collections.abc import Iterable
from typing import Any

from lipfd_jax.data.clip_index import ClipEntry
from lipfd_jax.data.clip_records import decode_clip
from lipfd_jax.data.clip_windows import cut_window
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.preprocessing.paper_windows import spread_starts
from lipfd_jax.vocabulary import WINDOWS_PER_CLIP


class ClipWindowRecords:
    """Records of windows by index, cut from clips when they are read; their images are not encoded."""

    def __init__(
        self,
        source: RecordReader,
        entries: Iterable[ClipEntry],
        *,
        side: int,
        count: int = WINDOWS_PER_CLIP,
    ):
        """Chooses up to `count` windows of each entry; `side` is that of the face crops, in pixels."""
        self._side, self._count = side, count
        # Windows are read in order, by a few threads: each clip is decoded once, with its mel image.
        self._read_clip = functools.lru_cache(maxsize=4)(lambda index: decode_clip(source[index]))
        self._windows = [(entry, k) for entry in entries for k in range(min(count, entry.starts))]

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Returns the fields of a window's record; `mel` and `frames` are arrays. Raises CorruptRecord."""
        entry, number = self._windows[index]
        clip = self._read_clip(entry.index)
        start = int(spread_starts(clip.starts, self._count)[number])
        window = cut_window(clip, start, side=self._side)
        return {
            "mel": window.mel,
            "frames": window.frames,
            "label": entry.label,
            "video": entry.video if not entry.part else f"{entry.video}.{entry.part}",
            "source": entry.source,
            "generator": entry.generator,
            "window": number,
            "start_frame": window.start_frame,
            "fps": clip.fps,
            "windows": "paper",
        }
