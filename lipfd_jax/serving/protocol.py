"""Messages between the process that reads a video and the one that holds the model.

The reader decodes untrusted files, so its messages are not trusted either: JSON and plain bytes of bounded
length, no pickle.
"""

import json
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Literal, get_args

import numpy as np

from lipfd_jax.vocabulary import COMPOSITE_SHAPE

Kind = Literal["predict", "saliency", "progress", "done", "failed", "machine"]
PARTS = ("looking", "scoring", "writing")  # that progress messages name
_MAX_BYTES = 1 << 16  # largest message without its composites
_COMPOSITE = int(np.prod(COMPOSITE_SHAPE))


class ProtocolError(Exception):
    """A message that doesn't follow the protocol."""


@dataclass(frozen=True)
class Message:
    """A message of the reader: a request to the model, its progress, or how it ended."""

    kind: Kind
    count: int = 0  # composites that follow
    text: str = ""  # progress: the part; done: the outcome; failed, machine: the reason
    done: float = 0.0
    of: float = 0.0


def send_message(connection: Connection, message: Message, composites: np.ndarray | None = None) -> None:
    """Sends a message and the composites (B, 1000, 2500, 3) uint8 that belong to it, if any."""
    connection.send_bytes(json.dumps(asdict(message)).encode())
    if composites is not None:
        connection.send_bytes(_to_bytes(composites, np.uint8))


def _to_bytes(array: np.ndarray, dtype: type) -> memoryview:
    return memoryview(np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8))


def receive_message(connection: Connection) -> Message:
    """Receives a message.

    Raises:
      ProtocolError: it is malformed.
      EOFError, OSError: it is too long, or the other process is gone.
    """
    try:
        values = json.loads(connection.recv_bytes(_MAX_BYTES))
        message = Message(**values)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(str(error)) from error
    if not _is_valid(message):
        raise ProtocolError(f"unexpected message of kind {message.kind!r}")
    return message


def _is_valid(message: Message) -> bool:
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


def receive_composites(connection: Connection, count: int, limit: int) -> np.ndarray:
    """Receives the composites of a message, at most `limit`. Raises as `receive_message`."""
    if not 0 < count <= limit:
        raise ProtocolError(f"{count} composites; expected 1 to {limit}")
    data = connection.recv_bytes(count * _COMPOSITE)
    if len(data) != count * _COMPOSITE:
        raise ProtocolError(f"{len(data)} bytes for {count} composites")
    return np.frombuffer(data, np.uint8).reshape(count, *COMPOSITE_SHAPE)


def send_arrays(connection: Connection, *arrays: np.ndarray | None) -> None:
    """Sends the arrays of a response as float32; None becomes an empty one."""
    for array in arrays:
        values = np.zeros(0) if array is None else array
        connection.send_bytes(_to_bytes(values, np.float32))


def receive_array(connection: Connection, *shape: int) -> np.ndarray:
    """Receives one array of a response, float32. Raises ValueError where it has another size."""
    return np.frombuffer(connection.recv_bytes(), np.float32).reshape(shape)


def receive_optional_array(connection: Connection, *shape: int) -> np.ndarray | None:
    """Receives one array of a response, float32; None for an empty one."""
    values = np.frombuffer(connection.recv_bytes(), np.float32)
    return values.reshape(shape) if values.size else None
