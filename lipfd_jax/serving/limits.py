"""Limits of the server and the exception for requests beyond them."""

from dataclasses import dataclass, fields


class RequestError(Exception):
    """A refused request, with an HTTP status and a reason for the user."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Limits:
    """Limits of the server. Raises ValueError, naming the limit, for one that is not above 0."""

    megabytes: float = 500.0  # largest video file
    minutes: float = 10.0  # longest video
    work_minutes: float = 60.0  # longest work on one video; longer work is ended
    queue: int = 8  # videos that are being uploaded or wait
    kept: int = 20  # videos with their results; beyond that the oldest goes
    kept_minutes: float = 60.0  # a video and its result, after it was analysed
    slowest: int = 64 << 10  # minimum bytes per second of an upload, on average over more than `grace`
    grace: float = 15.0  # seconds that an upload may pause

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name}={value}: expected a number above 0")

    @property
    def bytes(self) -> int:
        """Largest video file, in bytes."""
        return int(self.megabytes * 1e6)
