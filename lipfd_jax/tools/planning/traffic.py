"""Bytes a compiled program moves: between memory and chip, and between chips."""

import re

from lipfd_jax.tools.planning.hlo_text import Instruction, all_instructions, instructions, size

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

# Nothing moves, or what moves is counted where it starts.
_FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "custom-call")


def memory_bytes(program: str) -> int:
    """Bytes one run reads from and writes to a chip's memory (HBM).

    The compiler keeps what it can on the chip and brings other arrays there ahead of their use; every shape
    says where it lives. Its own figure, "bytes accessed", counts all operands and results wherever they
    live, and for a part brought ahead the whole array that it comes from; here only what crosses to or from
    HBM counts, once. What kernels fetch again is apart, in `windows.refetched_bytes`.
    """
    return sum(_moved(found) * found.runs for found in instructions(program))


def collective_bytes(program: str) -> dict[str, int]:
    """Bytes per kind of collective, of one chip and one run of the program.

    Counts the larger of what goes in and what comes out (the operand of a reduce-scatter, the result of an
    all-gather): about what a chip sends in a ring, half of it for an all-reduce. One inside a loop counts
    once.
    """
    found: dict[str, int] = {}
    seen = set()
    for one in all_instructions(program):
        kind = one.opcode.removesuffix("-start")
        channel = re.search(r"channel_id=\d+", one.text)
        if kind not in COLLECTIVES or (channel and channel[0] in seen):  # its pieces share a channel
            continue
        seen.add(channel[0] if channel else one.name)
        taken, given = sum(map(size, one.operands)), size(one.shape)
        if one.opcode.endswith("-start") and kind != "all-reduce":  # the result holds the operands too
            given -= taken
        if "all-reduce-scatter" in one.computation:  # how a reduce-scatter is written for TPUs
            kind = "reduce-scatter"
        found[kind] = found.get(kind, 0) + max(taken, given)
    return found


def _moved(one: Instruction) -> int:
    if one.opcode in _FREE or one.opcode.endswith("-done"):
        return 0
    if one.opcode == "slice-start":  # brings a part of its operand onto the chip
        return size(one.shape) - sum(map(size, one.operands))
    if one.opcode in ("copy-start", "all-gather-start", "collective-permute-start"):
        return size(one.shape, hbm_only=True)  # the result names both ends
    if one.opcode in ("slice", "dynamic-slice"):  # reads what it gives
        return 2 * size(one.shape, hbm_only=True)
    return sum(size(shape, hbm_only=True) for shape in (one.shape, *one.operands))
