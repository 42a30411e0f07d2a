"""Videos that a suite scores, from clips or from stored records: windows under a perturbation."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lipfd_jax.data import records
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.listing.clips import Clip
from lipfd_jax.perturbations.mel_strips import draw_strip, read_loudness, shrink_strip
from lipfd_jax.perturbations.perturbation import Perturbation
from lipfd_jax.preprocessing.composite import Window
from lipfd_jax.preprocessing.extraction import ClipPerturbation, Extraction, extract_windows
from lipfd_jax.preprocessing.frame_cache import FrameCache
from lipfd_jax.vocabulary import FACE_SIDE, WindowConvention


class SuiteVideo(Protocol):
    """One video of a suite."""

    @property
    def video(self) -> str:
        """CLASS/NAME."""

    @property
    def label(self) -> int:
        """0 real, 1 fake."""

    @property
    def source(self) -> str:
        """Group of videos that share footage or a person."""

    @property
    def generator(self) -> str:
        """Of a fake; "" where unknown."""

    def load_windows(self, perturbation: Perturbation) -> list[Window]:
        """Its windows under a perturbation, except for foreign sound (`with_mels`). Raises ValueError."""

    def find_obstacle(self, perturbation: Perturbation) -> str:
        """Why the perturbation can't be applied; "" where it can."""

    def with_cache(self) -> "SuiteVideo":
        """The same video, which keeps decoded frames in memory for many perturbations in turn."""


class ClipCache:
    """Decoded frames of one clip, and its face scan."""

    def __init__(self) -> None:
        self.frames = FrameCache()
        self._scan: Any = None

    def scan_faces(self, path: Path) -> Any:
        """The face scan of the unperturbed clip, made once."""
        if self._scan is None:
            from lipfd_jax.faces.face_search import default_finder
            from lipfd_jax.faces.scan import scan_video

            self._scan = scan_video(path, default_finder())
        return self._scan


@dataclasses.dataclass(frozen=True)
class ClipVideo:
    """A video file; samples and frames are perturbed before windows are cut."""

    clip: Clip
    convention: WindowConvention
    crop: str = "none"  # or "faces": windows are cut to the face, as in a build with that setting
    face_side: int = FACE_SIDE  # pixels to which those crops are shrunk
    cache: ClipCache | None = None  # None: each call decodes anew

    @property
    def video(self) -> str:
        return self.clip.video

    @property
    def label(self) -> int:
        return self.clip.label

    @property
    def source(self) -> str:
        return self.clip.source

    @property
    def generator(self) -> str:
        return self.clip.generator

    def find_obstacle(self, perturbation: Perturbation) -> str:
        """Only the track inside the video can be unavailable, or be the sound already."""
        if not perturbation.inner_track:
            return ""
        if self.clip.wav is None:
            return "there is no wav next to the video"
        return "released windows need the wav" if self.convention == "released" else ""

    def load_windows(self, perturbation: Perturbation) -> list[Window]:
        """Decodes the clip, perturbs it and cuts its windows. Raises ClipError."""
        clip = dataclasses.replace(self.clip, wav=None) if perturbation.inner_track else self.clip
        cut = list(self._extract(clip, _for_clip(perturbation, self.video)).cut_windows)
        return _perturb_windows(cut, perturbation, self.video)

    def with_cache(self) -> "ClipVideo":
        """With an empty cache of its own."""
        return dataclasses.replace(self, cache=ClipCache())

    def _extract(self, clip: Clip, perturbation: ClipPerturbation) -> Extraction:
        cache = self.cache or ClipCache()
        if self.crop == "none":
            read = cache.frames.read
            return extract_windows(clip, self.convention, perturbation=perturbation, read=read)
        from lipfd_jax.faces.extraction import extract_face_windows  # and its libraries, which are an extra
        from lipfd_jax.faces.window_reader import read_cached_windows

        read = functools.partial(read_cached_windows, cache.frames)
        seen = cache.scan_faces(clip.path)
        return extract_face_windows(
            clip, perturbation=perturbation, seen=seen, read=read, side=self.face_side
        )


@dataclasses.dataclass(frozen=True)
class RecordVideo:
    """Stored windows of a video; stored frames and mel strips are perturbed."""

    records: RecordReader
    index: tuple[int, ...]  # positions of its windows in the records, by window
    video: str
    label: int
    source: str
    generator: str

    def find_obstacle(self, perturbation: Perturbation) -> str:
        """Records hold neither samples nor files."""
        return perturbation.why_not_on_records

    def with_cache(self) -> "RecordVideo":
        """Itself: records are small."""
        return self

    def load_windows(self, perturbation: Perturbation) -> list[Window]:
        """Decodes the windows and perturbs them. Raises ValueError for a damaged record."""
        rng = perturbation.make_generator(self.video, "frames")
        cut = [self._load_window(place, perturbation, rng) for place in self.index]
        return _perturb_windows(cut, perturbation, self.video)

    def _load_window(self, place: int, perturbation: Perturbation, rng: np.random.Generator) -> Window:
        sample = records.decode_parts(self.records[place])
        mel, frames, fps = sample["mel"], sample["frames"], float(sample["fps"])
        if perturbation.on_frame is not None:
            frames = np.stack([perturbation.on_frame(frame, rng) for frame in frames])
        if perturbation.on_strip is not None:
            mel = draw_strip(perturbation.on_strip(read_loudness(shrink_strip(mel, fps))))
        return Window(int(sample["window"]), int(sample["start_frame"]), fps, mel, frames)


def list_clip_videos(
    clips: Sequence[Clip], convention: WindowConvention, crop: str = "none", face_side: int = FACE_SIDE
) -> list[ClipVideo]:
    """Clips as videos of a suite, in their order; cropped as the records were built."""
    return [ClipVideo(clip, convention, crop, face_side) for clip in clips]


def list_record_videos(source: RecordReader) -> list[RecordVideo]:
    """Videos of a source of records, sorted by name; reads all records once."""
    found: dict[str, list[tuple[int, int]]] = {}
    known = {}
    for place in range(len(source)):
        sample = records.decode_metadata(source[place])
        found.setdefault(sample["video"], []).append((int(sample["window"]), place))
        known[sample["video"]] = sample
    return [
        RecordVideo(
            source,
            tuple(place for _, place in sorted(found[video])),
            video,
            int(known[video]["label"]),
            known[video]["source"],
            known[video]["generator"],
        )
        for video in sorted(found)
    ]


def find_partner(videos: Sequence[SuiteVideo], place: int) -> SuiteVideo:
    """The next video of another source, cyclically. Raises ValueError where all share one source."""
    for other in (*videos[place + 1 :], *videos[:place]):
        if other.source != videos[place].source:
            return other
    raise ValueError(f"{videos[place].video}: no video of another source to take the sound of")


def with_mels(windows: Sequence[Window], others: Sequence[Window]) -> list[Window]:
    """Windows with the mel strips of others, cyclically where these are fewer."""
    return [dataclasses.replace(w, mel=others[i % len(others)].mel) for i, w in enumerate(windows)]


def _for_clip(perturbation: Perturbation, video: str) -> ClipPerturbation:
    """The part of a perturbation that applies before windows are cut, with the video's generators."""
    on_samples, on_frame = perturbation.on_samples, perturbation.on_frame
    sound_rng, frame_rng = (perturbation.make_generator(video, part) for part in ("sound", "frames"))
    return ClipPerturbation(
        sound=None if on_samples is None else lambda samples: on_samples(samples, sound_rng),
        frame=None if on_frame is None or perturbation.crf else lambda frame: on_frame(frame, frame_rng),
        crf=perturbation.crf,
    )


def _perturb_windows(cut: list[Window], perturbation: Perturbation, video: str) -> list[Window]:
    if perturbation.on_windows is None:
        return cut
    return perturbation.on_windows(cut, perturbation.make_generator(video, "windows"))
