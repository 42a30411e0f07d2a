"""What the process that reads a video and the one that holds the model say to each other.

The first decodes what strangers made, so nothing it says is trusted: JSON and plain bytes, bounded, no
pickle.
"""

import json
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal, get_args

import numpy as np

from lipfd_jax.vocabulary import COMPOSITE_SHAPE

Kind = Literal["predict", "saliency", "progress", "done", "failed", "machine"]
PARTS = ("looking", "scoring", "writing")  # of the work, as progress tells them
_LONGEST = 1 << 16  # bytes of a message without its composites
_COMPOSITE = int(np.prod(COMPOSITE_SHAPE))


class Garbled(Exception):
    """A message that is none of ours."""


@dataclass(frozen=True)
class Message:
    """From the process that reads: a question, how far it is, or how it ended."""

    kind: Kind
    count: int = 0  # composites that follow
    text: str = ""  # progress: the part; done: the outcome; failed, machine: the reason
    done: float = 0.0
    of: float = 0.0


def send(connection: Connection, message: Message, composites: np.ndarray | None = None) -> None:
    """Sends a message, and after it composites (B, 1000, 2500, 3) uint8 if it has any."""
    connection.send_bytes(json.dumps(asdict(message)).encode())
    if composites is not None:
        connection.send_bytes(_plain(composites, np.uint8))


def _plain(array: np.ndarray, dtype: type) -> memoryview:
    return memoryview(np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8))


def received(connection: Connection) -> Message:
    """The next message. Raises Garbled, EOFError, and OSError where it is too long or the other is gone."""
    try:
        values = json.loads(connection.recv_bytes(_LONGEST))
        message = Message(**values)
    except (ValueError, TypeError, RecursionError) as error:
        raise Garbled(str(error)) from error
    if not _sound(message):
        raise Garbled(f"unexpected message of kind {message.kind!r}")
    return message


def _sound(message: Message) -> bool:
    numbers = (message.done, message.of)
    known = message.kind != "progress" or message.text in PARTS
    finite = all(type(value) in (int, float) and 0 <= value < 1e9 for value in numbers)
    return (
        message.kind in get_args(Kind)
        and type(message.text) is str
        and type(message.count) is int
        and known
        and finite
    )


def received_composites(connection: Connection, count: int, most: int) -> np.ndarray:
    """The composites that a message announced, at most so many. Raises Garbled, EOFError, OSError."""
    if not 0 < count <= most:
        raise Garbled(f"{count} composites; expected 1 to {most}")
    data = connection.recv_bytes(count * _COMPOSITE)
    if len(data) != count * _COMPOSITE:
        raise Garbled(f"{len(data)} bytes for {count} composites")
    return np.frombuffer(data, np.uint8).reshape(count, *COMPOSITE_SHAPE)


def answer(connection: Connection, *arrays: np.ndarray | None) -> None:
    """Answers a question with arrays of float32; None becomes an empty one."""
    for array in arrays:
        values = np.zeros(0) if array is None else array
        connection.send_bytes(_plain(values, np.float32))


def answered(connection: Connection, *shape: int) -> np.ndarray | None:
    """One array of an answer; None for an empty one."""
    values: Any = np.frombuffer(connection.recv_bytes(), np.float32)
    return values.reshape(shape) if values.size else None
