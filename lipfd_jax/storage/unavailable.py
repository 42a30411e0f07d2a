"""Trouble of storages reached over a network: recognised in libraries' errors, and waited for."""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

logger = logging.getLogger(__name__)

_Value = TypeVar("_Value")

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between tries
_FORGOTTEN_AFTER = 60.0  # seconds in which a storage that was given up on is not waited for again
_SHOWN = 300  # characters of a library's message

_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")  # pathlib takes one of the two slashes away
# Libraries have no common class for these errors: their messages decide. A bare number is no status: it may
# be that of a record.
_STATUS = r"(?:\b(?:http|status|code|error|failed|denied)\b\W{1,3}(?:\w+\W+){0,2}|^\W*)"
_REFUSED = re.compile(
    rf"{_STATUS}40[13]\b|permission.?denied|forbidden|unauthenticated|unauthori[sz]ed|access.?denied"
    r"|invalid_grant|does not have \S+ access|anonymous caller|credentials",
    re.I,
)
_DAMAGE = re.compile(
    r"corrupt|mismatch|checksum|\bcrc|data.?loss|malformed|decompress|truncated"
    r"|invalid (?:record|chunk|header|magic|varint|data)",
    re.I,
)
_TEMPORARY = re.compile(
    rf"{_STATUS}(?:408|429|5\d\d)\b|unavailable|deadline.?exceeded|time[ds]?[ -]?out|resource.?exhausted"
    r"|too many requests|rate.?limit|quota|slow.?down|try again|retry (?:policy|loop)|operation too slow"
    r"|(?:not|n't|cannot|failed to|failure in) (?:resolve|connect|name resolution)|name or service not known"
    r"|getaddrinfo|nodename nor servname|\bdns\b|connection|network is|no route to host|broken pipe"
    r"|\bssl\b|\btls\b|handshake|backend error|internal (?:server )?error|bad gateway|empty reply"
    r"|disconnected",
    re.I,
)
_PERMISSION = re.compile(r"\b\w+\.\w+\.(?:get|list|create|delete|update)\b")
_NETWORK_ERRORS = (ConnectionError, TimeoutError, socket.gaierror)


class StorageUnavailable(OSError):
    """A storage does not answer or refuses access; what it holds is not damaged."""


@dataclass(frozen=True)
class StorageTrouble:
    """Why a storage gave no answer."""

    reason: str
    refused: bool = False  # access is not granted, which waiting seldom changes
    temporary: bool = True  # another try may succeed


def is_remote(path: object) -> bool:
    """Whether a path is an address such as gs://bucket/data."""
    return bool(_REMOTE.match(str(path)))


def find_storage_trouble(error: BaseException, path: object) -> StorageTrouble | None:
    """Returns the trouble of a storage behind an exception; None for damaged data and for other errors.

    For an address an error that shows neither trouble nor damage counts as trouble, unless it comes from
    parsing what was read.

    Args:
      path: what was read.
    """
    if isinstance(error, MemoryError | FileNotFoundError | ImportError):
        return None
    remote, text = is_remote(path), _describe(error)
    if isinstance(error, _NETWORK_ERRORS):
        return StorageTrouble(text)
    if isinstance(error, OSError) and not remote:
        return None
    if _REFUSED.search(text):
        return StorageTrouble(text, refused=True)
    if _DAMAGE.search(text):
        return None
    if _TEMPORARY.search(text):
        return StorageTrouble(text)
    parsing = isinstance(error, ValueError | LookupError | TypeError | AttributeError)
    return StorageTrouble(text, temporary=False) if remote and not parsing else None


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


@dataclass
class Patience:
    """Tries of reading from one storage, with longer and longer waits between them.

    Threads share one: while the first waits, the others stand in line, so that the storage is asked once and
    one message is logged.
    """

    waits: tuple[float, ...] = WAITS
    sleep: Callable[[float], None] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _given_up: float = field(default=float("-inf"), repr=False, compare=False)

    def read(
        self,
        function: Callable[[], _Value],
        what: str,
        path: object,
        renew: Callable[[], None] = lambda: None,
    ) -> _Value:
        """Returns what a function returns, called again after trouble of the storage.

        Args:
          what: names what is read, for messages.
          path: where it is read from; see `find_storage_trouble`.
          renew: called before another try, to drop connections that have failed.

        Raises:
          StorageUnavailable: the trouble lasts; the message holds the reason and the remedy.
        """
        try:
            return function()
        except Exception as error:
            if find_storage_trouble(error, path) is None:
                raise
        with self._lock:
            waits = iter(() if time.monotonic() - self._given_up < _FORGOTTEN_AFTER else self.waits)
            waited: list[float] = []
            while True:
                renew()
                try:
                    return function()
                except Exception as error:
                    trouble = find_storage_trouble(error, path)
                    if trouble is None:
                        raise
                    seconds = next(waits, None)
                    if seconds is None or not trouble.temporary or (trouble.refused and waited):
                        self._given_up = time.monotonic()
                        raise StorageUnavailable(_explain(what, path, trouble, waited)) from error
                logger.warning("%s: %s; trying again in %g s", what, trouble.reason, seconds)
                self.sleep(seconds)
                waited.append(seconds)

    def __getstate__(self) -> dict:
        return {"waits": self.waits, "sleep": self.sleep}

    def __setstate__(self, state: dict) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _explain(what: str, path: object, trouble: StorageTrouble, waited: list[float]) -> str:
    said = f"{what} can't be read: {trouble.reason}"
    if trouble.refused:
        permission = _PERMISSION.search(trouble.reason)
        needed = permission[0] if permission else "storage.objects.get and storage.objects.list"
        return (
            f"{said}. Access is refused: the account of this machine needs the permission {needed} for {path}"
            " (role Storage Object Viewer; to log in: gcloud auth application-default login); then run the "
            "same command again"
        )
    tries = f" {len(waited) + 2} times in {sum(waited):g} s" if waited else ""
    return (
        f"{said}. This was tried{tries}; the storage or the network is at fault, the data are not damaged: "
        "run the same command again once they answer, and it goes on"
    )
