"""Which of a file's tracks are asked for, and which are read."""

import re
from dataclasses import dataclass
from typing import Any

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.channels import CHANNELS, MEAN


class MissingStream(ClipError):
    """A file without a video stream or a sound track that can be read."""


@dataclass(frozen=True)
class TrackRequest:
    """Tracks that a user asks for. Raises ValueError for what can be no track."""

    audio: str = ""  # number from 1, or a language such as "deu"; "": the first with speech
    video: int = 0  # number from 1; 0: the default one

    def __post_init__(self) -> None:
        if self.video < 0:
            raise ValueError(f"video_track={self.video}: expected a number from 1")
        if not re.fullmatch(r"|[1-9]\d*|[a-zA-Z]{2,3}([-_].*)?", self.audio):
            expected = "a number from 1, or a language of two or three letters such as deu"
            raise ValueError(f"audio_track={self.audio!r}: expected {expected}")


NO_REQUEST = TrackRequest()


@dataclass(frozen=True)
class VideoChoice:
    """The video stream that is read."""

    index: int  # among all streams of the file
    number: int  # among its video streams, from 1
    count: int  # of video streams, covers not counted
    requested: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values for result.json."""
        return {"track": self.number, "tracks": self.count}

    def describe(self) -> str:
        """Names the stream in a note; "" for the only one."""
        return f"video track {self.number} of {self.count} is used" if self.count > 1 else ""


@dataclass(frozen=True)
class AudioChoice:
    """The sound track that is read."""

    index: int  # among all streams of the file
    number: int  # among its sound tracks, from 1
    count: int
    language: str = ""  # of three letters, as the file says; "": it says none
    channel: str = MEAN  # ffmpeg's name of the channel that is taken wherever there is one of this name
    cancels: bool = False  # whether it is taken because the channels cancel each other out
    spoken: tuple[int, ...] = ()  # numbers of the tracks in which speech was heard; empty: not looked for
    requested: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values for result.json."""
        used = self.channels_taken or "the mean of all channels"
        return {"track": self.number, "tracks": self.count, "language": self.language, "used": used}

    def describe(self) -> str:
        """Names the track and the channel in a note; "" for the mean of the only track."""
        notes = []
        if self.count > 1:
            language = f" ({self.language})" if self.language else ""
            notes.append(f"sound track {self.number} of {self.count}{language} is used")
        if self.channel:
            why = ", as the channels cancel each other out" if self.cancels else ""
            notes.append(f"only {self.channels_taken} is used{why}")
        return "; ".join(notes)

    @property
    def channels_taken(self) -> str:
        """The channels taken, in words; "" for the mean, which needs none."""
        return CHANNELS.get(self.channel, self.channel)
