"""Corrupt records: the error that names one, and the policy for skipping them."""

import dataclasses
import threading
from typing import Literal

CorruptPolicy = Literal["stop", "skip"]


class CorruptRecord(ValueError):
    """Raised for a record with damaged content; the message names it and the remedy.

    Failures of the machine (unreadable disk, lack of memory) raise other errors.
    """


@dataclasses.dataclass
class CorruptRecords:
    """Corrupt records found in a source, and the policy for them.

    Attributes:
      policy: "stop": the first one ends the run; "skip": others replace them.
      limit: largest number of records to skip; one more ends the run.
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
        """Returns a copy of the messages by record number, ascending."""
        with self._lock:
            return dict(sorted(self.found.items()))
