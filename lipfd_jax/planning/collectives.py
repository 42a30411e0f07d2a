"""Bytes that chips exchange, read from the text of a compiled program."""

import re

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

_CALL = re.compile(rf"= (.+?) ({'|'.join(KINDS)})(-start)?\(([^)]*)\)")
_NAMED = re.compile(r"^\s*(?:ROOT )?(%[\w.\-]+) = (\(.*?\)|\S+) [a-z]", re.MULTILINE)
_SHAPE = re.compile(r"([a-z]+)(\d*)(\w*)\[([\d,]*)\]")


def collective_bytes(program: str) -> dict[str, int]:
    """Bytes per kind of collective, of one chip and one run of the program.

    Counts the larger of what goes in and what comes out (the operand of a reduce-scatter, the result of an
    all-gather): about what a chip sends in a ring, half of it for an all-reduce. One inside a loop counts
    once.

    Args:
      program: optimised HLO, as `compiled.as_text()` gives it.
    """
    sizes = {name: _size(shape) for name, shape in _NAMED.findall(program)}
    found: dict[str, int] = {}
    seen, computation = set(), ""
    for line in program.splitlines():
        if line and not line[0].isspace():
            computation = line.split("(")[0]
        call = _CALL.search(line)
        channel = re.search(r"channel_id=\d+", line)
        if not call or (channel and channel[0] in seen):  # pieces of one asynchronous exchange share it
            continue
        seen.add(channel[0] if channel else line)
        result, kind, start, operands = call.groups()
        taken = sum(sizes.get(name, 0) for name in re.findall(r"%[\w.\-]+", operands))
        given = _size(result) - (taken if start and kind != "all-reduce" else 0)  # holds operands and results
        if "all-reduce-scatter" in computation:  # how a reduce-scatter is written for TPUs
            kind = "reduce-scatter"
        found[kind] = found.get(kind, 0) + max(taken, given)
    return found


def _size(text: str) -> int:
    """Bytes of a shape, or of all shapes in a tuple, in HLO's notation: bf16[8,128]{1,0}."""
    total = 0
    for kind, bits, _, sides in _SHAPE.findall(text):
        values = 1
        for side in filter(None, sides.split(",")):
            values *= int(side)
        total += values * max(int(bits or 8) // 8, 1) if kind not in ("token",) else 0
    return total
