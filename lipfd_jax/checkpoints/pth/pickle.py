"""Interprets the pickle inside a .pth file as data: imports nothing, calls nothing, builds only plain values.

Python's own unpickler is a program loader; filtering the globals it may load still leaves recursion and
allocation to the file. This interpreter knows the three dozen opcodes that `torch.save` writes (pickle
protocols 2 to 5) and builds None, bool, int, float, str, tuple, list, dict and records of tensors. Every
opcode creates at most one small object and their number is limited, so memory is bounded.
"""

import dataclasses
import pickletools
import struct
from collections.abc import Callable
from typing import Any

from lipfd_jax.checkpoints.errors import quote
from lipfd_jax.checkpoints.pth.records import (
    CALLS,
    STORAGES,
    Global,
    PickleError,
    StorageRecord,
    expect_type,
    parse_storage,
)

MAX_BYTES = 16 << 20  # a released-size checkpoint with an optimizer of 600 tensors has 0.2 MB
MAX_OPCODES = 1_000_000  # and 50,000 opcodes
_MAX_INT_BYTES = 8
_MAX_KEY = 1 << 31  # integer keys are small: chosen freely they could all collide in a dict


def read_pickle(data: bytes) -> object:
    """Returns the value of a pickle: plain values and `TensorRecord`s. It may contain itself, so do not
    recurse.

    Raises:
        PickleError: any other global, an opcode `torch.save` does not write, a broken or oversized pickle.
    """
    found = read_first_pickle(data)
    if found.end != len(data):
        raise PickleError("its pickle does not end at its last opcode")
    return found.value


@dataclasses.dataclass(frozen=True)
class FirstPickle:
    """A pickle followed by other bytes."""

    value: object
    end: int  # position of the byte after it
    storages: dict[str, StorageRecord]  # all that the pickle refers to, by key


def read_first_pickle(data: bytes, start: int = 0) -> FirstPickle:
    """Reads the pickle that begins at `start`; as read_pickle, but bytes may follow."""
    if len(data) > MAX_BYTES:
        raise PickleError(f"its pickle has {len(data):,} bytes, expected at most {MAX_BYTES:,}")
    machine = _PickleMachine(data, start)
    for _ in range(MAX_OPCODES):
        if machine.step():
            return machine.result()
    raise PickleError(f"its pickle has more than {MAX_OPCODES:,} opcodes")


class _PickleMachine:
    """Stack, marks and memo of a pickle machine, with one method per kind of opcode."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._at = start
        self._storages: dict[str, StorageRecord] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []  # stack heights; nothing below the last one may be popped
        self._memo: dict[int, Any] = {}

    def step(self) -> bool:
        """Runs one opcode; returns True for the last."""
        opcode = self._take(1)
        if opcode == b".":
            return True
        if opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _NUMBERS:
            self._stack.append(self._number(_NUMBERS[opcode]))
        elif opcode in _STRINGS:
            self._stack.append(_decode_text(self._take(self._number(_STRINGS[opcode]))))
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self)
        else:
            raise PickleError(
                f"its pickle uses the opcode {_opcode_name(opcode)}, which torch.save doesn't write"
            )
        return False

    def result(self) -> FirstPickle:
        """Returns the one value left on the stack."""
        if len(self._stack) != 1 or self._marks:
            raise PickleError("its pickle does not end at its last opcode")
        return FirstPickle(self._stack[0], self._at, self._storages)

    # Reading the opcodes' arguments

    def _take(self, count: int) -> bytes:
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise PickleError("its pickle is truncated")
        return self._data[start : self._at]

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + 1000)
        if end < 0:
            raise PickleError("its pickle holds an unterminated global")
        return _decode_text(self._take(end + 1 - self._at)[:-1])

    # The stack

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise PickleError("its pickle pops an empty stack")
        return self._stack.pop()

    def _pop_marked(self) -> list[Any]:
        if not self._marks:
            raise PickleError("its pickle lacks a mark")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _top(self) -> Any:
        self._stack.append(value := self._pop())
        return value

    # The opcodes

    def _protocol(self) -> None:
        version = self._number("<B")
        if not 2 <= version <= 5:
            raise PickleError(f"its pickle has protocol {version}, expected 2 to 5")

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _long(self) -> None:
        length = self._number("<B")
        if length > _MAX_INT_BYTES:
            raise PickleError(f"its pickle holds an integer of {length} bytes")
        self._stack.append(int.from_bytes(self._take(length), "little", signed=True))

    def _tuple(self, length: int) -> None:
        items = [self._pop() for _ in range(length)]
        self._stack.append(tuple(reversed(items)))

    def _put(self, index: int) -> None:
        self._memo[index] = self._top()

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise PickleError("its pickle refers to an undefined value")
        self._stack.append(self._memo[index])

    def _append(self, items: list[Any]) -> None:
        expect_type(self._top(), list, "the target of an append").extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = expect_type(self._top(), dict, "the target of an item")
        if len(items) % 2:
            raise PickleError("its pickle has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not (type(key) is str or (type(key) is int and 0 <= key < _MAX_KEY)):
                raise PickleError(f"its pickle has {quote(key)} as a key, expected a string or small integer")
            if key in target:
                raise PickleError(f"its pickle has the key {quote(str(key))} twice")
            target[key] = value

    def _global(self, module: object, name: object) -> None:
        full = f"{module} {name}" if type(module) is str and type(name) is str else None
        if full not in CALLS and full not in STORAGES:
            raise PickleError(
                f"its pickle refers to the global {quote(module)} {quote(name)}; only tensors, numbers, "
                "strings and their containers are read. If you trust it, save its weights alone with PyTorch"
            )
        self._stack.append(Global(full))

    def _stack_global(self) -> None:
        name = self._pop()
        self._global(self._pop(), name)

    def _reduce(self) -> None:
        arguments = expect_type(self._pop(), tuple, "arguments")
        function = expect_type(self._pop(), Global, "a function").name
        if function not in CALLS:
            raise PickleError(f"its pickle calls {function}")
        self._stack.append(CALLS[function](arguments))

    def _build(self) -> None:
        """Drops the modules' versions, which a state dict carries as an attribute, `_metadata`."""
        state = expect_type(self._pop(), dict, "a state")
        expect_type(self._top(), dict, "the target of a state")
        if len(state) != 1 or "_metadata" not in state:
            raise PickleError("its pickle sets the state of an object")

    def _persistent(self) -> None:
        self._stack.append(storage := parse_storage(self._pop()))
        self._storages.setdefault(storage.key, storage)


def _decode_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise PickleError("its pickle holds a string that is not UTF-8") from error


def _opcode_name(opcode: bytes) -> str:
    known = pickletools.code2op.get(opcode.decode("latin-1"))  # type: ignore[attr-defined]  # undocumented
    return known.name if known else f"0x{opcode.hex()}"


_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False, b")": ()}
_NUMBERS = {b"J": "<i", b"K": "<B", b"M": "<H", b"G": ">d"}
_STRINGS = {b"X": "<I", b"\x8c": "<B", b"\x8d": "<Q"}
_ACTIONS: dict[bytes, Callable[[_PickleMachine], object]] = {
    b"\x80": _PickleMachine._protocol,
    b"\x95": lambda m: m._take(8),  # FRAME: only a hint for buffering
    b"(": _PickleMachine._mark,
    b"\x8a": _PickleMachine._long,
    b"]": lambda m: m._stack.append([]),
    b"}": lambda m: m._stack.append({}),
    b"t": lambda m: m._stack.append(tuple(m._pop_marked())),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"a": lambda m: m._append([m._pop()]),
    b"e": lambda m: m._append(m._pop_marked()),
    b"s": lambda m: m._set_items([m._pop(), m._pop()][::-1]),
    b"u": lambda m: m._set_items(m._pop_marked()),
    b"q": lambda m: m._put(m._number("<B")),
    b"r": lambda m: m._put(m._number("<I")),
    b"\x94": lambda m: m._put(len(m._memo)),
    b"h": lambda m: m._get(m._number("<B")),
    b"j": lambda m: m._get(m._number("<I")),
    b"c": lambda m: m._global(m._line(), m._line()),
    b"\x93": _PickleMachine._stack_global,
    b"R": _PickleMachine._reduce,
    b"b": _PickleMachine._build,
    b"Q": _PickleMachine._persistent,
}
