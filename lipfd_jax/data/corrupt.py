"""Records whose bytes are damaged: how one is named, and when a run goes on without it."""

import dataclasses
import threading
from typing import Literal

CorruptPolicy = Literal["stop", "skip"]


class CorruptRecord(ValueError):
    """A record that can't be used for what is in it; the message names it and says what to do.

    Never raised for trouble of the machine (a disk that can't be read, memory), which passes by itself.
    """


@dataclasses.dataclass
class CorruptRecords:
    """The corrupt records met in one source, and whether a run may go on without them.

    Attributes:
      policy: "stop": the first one ends the run; "skip": it goes on with others in their place.
      limit: skipping ends as well when more than so many are known.
      found: message by record number; filled by reading threads.
    """

    policy: CorruptPolicy = "stop"
    limit: float = 0
    found: dict[int, str] = dataclasses.field(default_factory=dict)
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, repr=False)

    def note(self, number: int, error: CorruptRecord) -> None:
        """Counts a record; raises CorruptRecord where that ends the run."""
        if self.policy == "stop":
            raise error
        with self._lock:
            self.found[int(number)] = str(error)
            count = len(self.found)
        if count > self.limit:
            raise CorruptRecord(
                f"{count} corrupt records, more than the {self.limit:g} to be skipped; the last: {error}"
            ) from error

    def messages(self) -> dict[int, str]:
        """A copy of what was found, by record number, rising."""
        with self._lock:
            return dict(sorted(self.found.items()))
