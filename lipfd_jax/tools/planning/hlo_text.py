"""Reads the text of a compiled program: which instructions run, on what shapes, in which memory."""

import dataclasses
import math
import re
from collections.abc import Iterator

_HEADER = re.compile(r"^(ENTRY )?(%[\w.\-]+) \(")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?(%[\w.\-]+) = (.*)$")
_SHAPE = re.compile(r"\b([a-z]+)(\d*)\w*\[([\d,]*)\](?:\{([^}]*)\})?")
_ON_CHIP = re.compile(r"S\([1-9]\)")  # a memory space other than the default one, HBM


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    opcode: str
    shape: str  # of the result, as written
    operands: tuple[str, ...]  # shapes of the operands, as written
    inputs: tuple[str, ...]  # their names
    text: str  # all that follows the opcode
    computation: str
    runs: int  # how often it runs: more than once inside a loop of known length


def instructions(program: str) -> Iterator[Instruction]:
    """Yields what the entry computation runs, loop bodies included, fusions as one instruction.

    Args:
      program: optimised HLO, as `compiled.as_text()` gives it.
    """
    computations, entry = _computations(program)
    yield from _run(computations, entry, 1)


def all_instructions(program: str) -> Iterator[Instruction]:
    """Yields the instructions of all computations, those inside fusions too, each once."""
    computations, _ = _computations(program)
    for name, lines in computations.items():
        yield from _parsed(name, lines, 1)


def size(shape: str, *, hbm_only: bool = False) -> int:
    """Bytes of a shape such as bf16[8,128]{1,0:T(8,128)S(1)}, or of all in a tuple, padded to whole tiles.

    With `hbm_only` those that live in memory on the chip count nothing.
    """
    total = 0
    for kind, bits, sides, layout in _SHAPE.findall(shape):
        if kind in ("token", "opaque") or (hbm_only and _ON_CHIP.search(layout)):
            continue
        total += math.prod(n * step for n, step in _tiled(sides, layout)) * (max(int(bits or 8), 8) // 8)
    return total


def tiles(shape: str) -> list[int]:
    """How many tiles a shape (the first of a tuple) has along each side, the outermost in memory first."""
    _, _, sides, layout = _SHAPE.findall(shape)[0]
    return [n for n, _ in _tiled(sides, layout)]


def _tiled(written: str, layout: str) -> list[tuple[int, int]]:
    """Tiles and their length along each side as they lie in memory: only the last are cut, by T(8,128)."""
    sides = [int(side) for side in written.split(",") if side]
    order, _, rest = layout.partition(":")
    tile = re.match(r"T\(([\d,]+)\)", rest)
    if order:
        sides = [sides[int(axis)] for axis in reversed(order.split(","))]
    steps = [int(step) for step in tile[1].split(",")][-len(sides) :] if tile and sides else []
    steps = [1] * (len(sides) - len(steps)) + steps
    return [(-(-side // step), step) for side, step in zip(sides, steps, strict=True)]


def _run(computations: dict[str, list], name: str, runs: int) -> Iterator[Instruction]:
    for found in _parsed(name, computations[name], runs):
        if found.opcode in ("while", "call", "conditional"):
            trips = re.search(r'known_trip_count":\{"n":"(\d+)"', found.text)
            times = runs * int(trips[1]) if trips else runs
            for called in re.findall(r"(?:body|to_apply|computations?)=\{?(%[\w.\-]+)", found.text):
                yield from _run(computations, called, times)
        else:
            yield found


def _parsed(computation: str, lines: list[tuple[str, str]], runs: int) -> Iterator[Instruction]:
    shapes = {name: _split(rest)[0] for name, rest in lines}
    for name, rest in lines:
        shape, call = _split(rest)
        opcode, _, tail = call.partition("(")
        operands = re.findall(r"%[\w.\-]+", tail[: _closing(tail)])
        known = tuple(shapes.get(operand, "") for operand in operands)
        yield Instruction(name, opcode, shape, known, tuple(operands), tail, computation, runs)


def _computations(program: str) -> tuple[dict[str, list[tuple[str, str]]], str]:
    computations: dict[str, list[tuple[str, str]]] = {}
    entry = current = ""
    for line in program.splitlines():
        header, instruction = _HEADER.match(line), _INSTRUCTION.match(line)
        if header:
            current = header[2]
            computations[current] = []
            entry = current if header[1] else entry
        elif instruction and current:
            computations[current].append((instruction[1], instruction[2]))
    return computations, entry


def _split(rest: str) -> tuple[str, str]:
    """Shape and call of what stands right of the equals sign."""
    end = _closing(rest[1:]) + 2 if rest.startswith("(") else rest.find(" ")
    return rest[:end], rest[end:].lstrip()


def _closing(text: str) -> int:
    """Index of the bracket that closes the one before the text."""
    depth = 1
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return index
    return len(text)
