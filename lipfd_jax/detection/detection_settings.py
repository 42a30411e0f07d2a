"""How a video is to be judged."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lipfd_jax.detection.window_selection import Budget

Crop = Literal["auto", "none"]
_SHORTEST_STRIDE = 0.01  # seconds; frames are further apart


@dataclass(frozen=True)
class Settings:
    """What decides how a video is judged, besides checkpoint and video.

    Raises ValueError, naming the setting, for a value that makes no sense.
    """

    crop: Crop = "auto"  # auto: find faces and cut them; none: the pictures are cut like the training clips
    windows: int = 60  # scored at first, spread over the faces
    refined: int = 30  # more of them around suspicions
    stride: float = 0.0  # seconds from window to window; above 0: full coverage in place of both numbers

    def __post_init__(self):
        if self.crop not in get_args(Crop):
            raise ValueError(f"crop={self.crop!r}: expected {' or '.join(get_args(Crop))}")
        if self.windows < 1 or self.refined < 0:
            raise ValueError(f"windows={self.windows}, refined={self.refined}: expected 1 or more, 0 or more")
        if self.stride != 0 and not _SHORTEST_STRIDE <= self.stride <= 3600:
            expected = f"{_SHORTEST_STRIDE} to 3600 seconds, or 0 for a bounded number of windows"
            raise ValueError(f"stride={self.stride}: expected {expected}")

    @property
    def budget(self) -> Budget:
        """How many windows may be scored."""
        return Budget(self.windows, self.refined, self.stride)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)
