"""Settings of a detection: how faces are cut and how many windows are scored."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lipfd_jax.preprocessing.track_choices import TrackRequest

CropMode = Literal["auto", "none"]
CROP_MODES = get_args(CropMode)
_SHORTEST_STRIDE = 0.01  # seconds; frames are further apart


@dataclass(frozen=True)
class DetectionSettings:
    """All that decides a result besides checkpoint and video; the flags' defaults are those of this class.

    Raises ValueError, naming the setting, for an impossible value.
    """

    crop: CropMode = "auto"  # auto: find faces and cut them; none: frames are cut like the training clips
    max_windows: int = 60  # scored at first, spread over the faces
    refined: int = 30  # further windows around suspicions, at most
    stride: float = 0.0  # seconds from window to window; above 0: full coverage in place of both numbers
    compare_sound: bool = True  # place a separate sound file by the video's own track, or refuse it
    audio_track: str = ""  # number from 1, or a language; "": the first with speech
    video_track: int = 0  # number from 1; 0: the default one

    def __post_init__(self):
        if self.crop not in CROP_MODES:
            raise ValueError(f"crop={self.crop!r}: expected {' or '.join(CROP_MODES)}")
        TrackRequest(self.audio_track, self.video_track)  # raises for what can be no track
        if self.max_windows < 1 or self.refined < 0:
            values = f"max_windows={self.max_windows}, refined={self.refined}"
            raise ValueError(f"{values}: expected 1 or more, 0 or more")
        if self.stride != 0 and not _SHORTEST_STRIDE <= self.stride <= 3600:
            expected = f"{_SHORTEST_STRIDE} to 3600 seconds, or 0 for a bounded number of windows"
            raise ValueError(f"stride={self.stride}: expected {expected}")

    @property
    def tracks(self) -> TrackRequest:
        """The tracks asked for."""
        return TrackRequest(self.audio_track, self.video_track)

    def to_json(self) -> dict[str, Any]:
        """Plain values for result.json, whose first version calls `max_windows` `windows`."""
        names = {"max_windows": "windows"}
        return {names.get(name, name): value for name, value in dataclasses.asdict(self).items()}
