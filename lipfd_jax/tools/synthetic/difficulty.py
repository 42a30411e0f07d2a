"""How hard the forgeries are to tell from the real clips, in one place and fixed before any training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """What the forger and the camera do; lengths are pixels of the 224-pixel frame.

    A higher resolution, a softer blend, or more camera blur and noise makes the forgeries harder to see.
    """

    mouth_resolution: float = 0.25  # the redrawn mouth's resolution as a fraction of the frame's
    blend_softness: float = 3.0  # sigma of the mask that blends the redrawn mouth into the frame
    camera_noise: tuple[float, float] = (1.0, 3.0)  # sigma per clip, grey levels of 255; the range is uniform
    camera_blur: tuple[float, float] = (
        0.25,
        0.55,
    )  # sigma of the lens per clip, so sharpness alone tells less

    def __post_init__(self) -> None:
        """Refuses values no frame can be drawn with."""
        if not 0 < self.mouth_resolution <= 1:
            raise ValueError(f"mouth_resolution={self.mouth_resolution}: expected a fraction in (0, 1]")
        if self.blend_softness < 0:
            raise ValueError(f"blend_softness={self.blend_softness}: expected pixels, at least 0")
        for name in ("camera_noise", "camera_blur"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}={low, high}: expected a range (low, high) with 0 <= low <= high")
