"""The videos a suite scores, each of which gives its windows under an effect: clips, or stored records."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lipfd_jax.data import records
from lipfd_jax.data.sources import RecordSource
from lipfd_jax.listing.clips import Clip
from lipfd_jax.perturbations.catalogue import Effect
from lipfd_jax.perturbations.mel_strips import coloured, loudness, native
from lipfd_jax.preprocessing.composite import Window
from lipfd_jax.preprocessing.extraction import ClipPerturbation, Extraction, extract_windows
from lipfd_jax.preprocessing.frame_cache import FrameCache
from lipfd_jax.vocabulary import WindowConvention


class Subject(Protocol):
    """One video."""

    video: str
    label: int
    source: str
    generator: str

    def windows(self, effect: Effect) -> list[Window]:
        """Its windows under an effect, but for those that look at other videos. Raises ValueError."""

    def lacking(self, effect: Effect) -> str:
        """Why the effect can't be made; "" where it can."""

    def kept(self) -> "Subject":
        """The same video, which keeps in memory what it decodes, for many effects in turn."""


class Footage:
    """What was decoded of one clip, and where its face was found."""

    def __init__(self) -> None:
        self.frames = FrameCache()
        self._seen: Any = None

    def seen(self, path: Path) -> Any:
        """The face scan of the clip, made once: faces are found before anything is changed."""
        if self._seen is None:
            from lipfd_jax.faces.finders import default_finder
            from lipfd_jax.faces.scan import scan_video

            self._seen = scan_video(path, default_finder())
        return self._seen


@dataclasses.dataclass(frozen=True)
class ClipSubject:
    """A video file: effects are made on its samples and pictures, before anything is cut."""

    clip: Clip
    mode: WindowConvention
    crop: str = "none"  # or "faces": windows are cut to the face, as a build with that setting does it
    footage: Footage | None = None  # of earlier effects

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

    def lacking(self, effect: Effect) -> str:
        """Only the track inside can be missing, or be all there is."""
        if effect.inner_track and self.clip.wav is None:
            return "there is no wav beside the video"
        return "released windows need the wav" if effect.inner_track and self.mode == "released" else ""

    def windows(self, effect: Effect) -> list[Window]:
        """Decodes the clip and cuts its windows, the effect made on the way. Raises ClipError."""
        clip = dataclasses.replace(self.clip, wav=None) if effect.inner_track else self.clip
        sound, frame = (effect.random(self.video, part) for part in ("sound", "frames"))
        change = ClipPerturbation(
            sound=None if effect.sound is None else lambda samples: effect.sound(samples, sound),
            frame=None
            if effect.frame is None or effect.crf
            else lambda picture: effect.frame(picture, frame),
            crf=effect.crf,
        )
        return _finished(list(self._extracted(clip, change).cut_windows), effect, self.video)

    def kept(self) -> "ClipSubject":
        """With an empty memory of its own."""
        return dataclasses.replace(self, footage=Footage())

    def _extracted(self, clip: Clip, change: ClipPerturbation) -> Extraction:
        footage = self.footage or Footage()
        if self.crop == "none":
            return extract_windows(clip, self.mode, perturbation=change, read=footage.frames.read)
        from lipfd_jax.faces.extraction import extract_face_windows  # and its libraries, which are an extra
        from lipfd_jax.faces.window_reader import read_cached_windows

        read = functools.partial(read_cached_windows, footage.frames)
        return extract_face_windows(clip, perturbation=change, seen=footage.seen(clip.path), read=read)


@dataclasses.dataclass(frozen=True)
class RecordSubject:
    """A video's stored windows: effects are made on its frames and mel strips as stored."""

    records: RecordSource
    index: tuple[int, ...]  # of its windows, in order
    video: str
    label: int
    source: str
    generator: str

    def lacking(self, effect: Effect) -> str:
        """Samples and files are no longer at hand."""
        return effect.lacking()

    def kept(self) -> "RecordSubject":
        """Itself: records are small."""
        return self

    def windows(self, effect: Effect) -> list[Window]:
        """Decodes the windows and changes them. Raises ValueError for a damaged record."""
        frame = effect.random(self.video, "frames")
        cut = []
        for place in self.index:
            sample = records.decode_parts(self.records[place])
            mel, frames = sample["mel"], sample["frames"]
            if effect.frame is not None:
                frames = np.stack([effect.frame(picture, frame) for picture in frames])
            if effect.strip is not None:
                mel = coloured(effect.strip(loudness(native(mel, float(sample["fps"])))))
            numbers = int(sample["window"]), int(sample["start_frame"]), float(sample["fps"])
            cut.append(Window(*numbers, mel, frames))
        return _finished(cut, effect, self.video)


def clip_subjects(clips: Sequence[Clip], mode: WindowConvention, crop: str = "none") -> list[ClipSubject]:
    """Clips as subjects, in their order; `crop` as the records were built with it."""
    return [ClipSubject(clip, mode, crop) for clip in clips]


def record_subjects(source: RecordSource) -> list[RecordSubject]:
    """The videos of a source of records, by name; one pass over all records."""
    found: dict[str, list[tuple[int, int]]] = {}
    known = {}
    for place in range(len(source)):
        sample = records.decode_metadata(source[place])
        found.setdefault(sample["video"], []).append((int(sample["window"]), place))
        known[sample["video"]] = sample
    return [
        RecordSubject(
            source,
            tuple(place for _, place in sorted(found[video])),
            video,
            int(known[video]["label"]),
            known[video]["source"],
            known[video]["generator"],
        )
        for video in sorted(found)
    ]


def partner(subjects: Sequence[Subject], place: int) -> Subject:
    """The next video of another source, round the list. ValueError where all videos share one."""
    others = (*subjects[place + 1 :], *subjects[:place])
    for other in others:
        if other.source != subjects[place].source:
            return other
    raise ValueError(f"{subjects[place].video}: no video of another source to take the sound of")


def with_mels(windows: Sequence[Window], others: Sequence[Window]) -> list[Window]:
    """Windows with the mel strips of others, in turn where these are fewer."""
    return [dataclasses.replace(w, mel=others[i % len(others)].mel) for i, w in enumerate(windows)]


def _finished(cut: list[Window], effect: Effect, video: str) -> list[Window]:
    return cut if effect.windows is None else effect.windows(cut, effect.random(video, "windows"))
