"""What the server takes and keeps, and how it refuses the rest."""

from dataclasses import dataclass, fields


class Refused(Exception):
    """A request that is not met; `status` is HTTP's, the message is for people."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Limits:
    """Bounds of the server. Raises ValueError, naming the bound, for one that is not above 0."""

    megabytes: float = 500.0  # of one video file
    minutes: float = 10.0  # of one video
    work_minutes: float = 60.0  # of work on one video; what takes longer is given up
    queue: int = 8  # videos that are being uploaded or wait
    kept: int = 20  # videos with their results; beyond that the oldest goes
    kept_minutes: float = 60.0  # a video and its result, after it was judged
    slowest: int = 64 << 10  # bytes a second of an upload, on average over more than `grace`
    grace: float = 15.0  # seconds in which nothing need arrive

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name}={value}: expected a number above 0")

    @property
    def bytes(self) -> int:
        """Of one video file."""
        return int(self.megabytes * 1e6)
