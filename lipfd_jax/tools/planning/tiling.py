"""How often a compiled program fetches what it reads: by the windows into which its kernels are cut."""

import math
import re
from collections.abc import Iterator

from lipfd_jax.tools.planning.hlo_text import Instruction, all_instructions, instructions, size, tiles


def refetched_bytes(program: str) -> int:
    """Bytes that one run reads from a chip's memory (HBM) again, at most: beyond reading everything once.

    A kernel holds one window of each operand of its product (or convolution, or pool) at a time and steps
    over a grid. Windows overlap where a convolution needs the edge of the next one, and a window comes back
    when the grid passes it again. Here every step fetches its windows, which no schedule exceeds; one that
    stays from a step to the next is not fetched in truth.

    Args:
      program: optimised HLO for a TPU, as `compiled.as_text()` gives it; a kernel without a
        `window_config` counts nothing.
    """
    bodies: dict[str, dict[str, Instruction]] = {}
    for found in all_instructions(program):
        bodies.setdefault(found.computation, {})[found.name] = found
    return sum(found.runs * _again(found, bodies) for found in instructions(program))


def estimated_cycles(program: str) -> int:
    """Cycles of all kernels, one after another, by the model with which the compiler chose their windows."""
    counted = (
        (found, re.search(r'"estimated_cycles":"(\d+)"', found.text)) for found in instructions(program)
    )
    return sum(found.runs * int(cycles[1]) for found, cycles in counted if cycles)


def _again(kernel: Instruction, bodies: dict[str, dict[str, Instruction]]) -> int:
    called = re.search(r"calls=(%[\w.\-]+)", kernel.text)
    steps = math.prod(_bounds(kernel, "iteration_bounds"))
    body = bodies.get(called[1], {}) if called else {}
    total = 0
    for name, side in _read(body):
        window, whole = _bounds(kernel, side), tiles(body[name].shape)
        if window and len(window) == len(whole):
            times = steps * math.prod(window) / math.prod(whole)
            once = sum(size(kernel.operands[number], hbm_only=True) for number in _sources(body, name))
            total += int(max(times - 1, 0) * once)
    return total


def _read(body: dict[str, Instruction]) -> list[tuple[str, str]]:
    """What a kernel reads in windows, and the name of their bounds."""
    for found in body.values():
        if found.opcode == "convolution":  # on TPUs all products are
            return list(zip(found.inputs, ("input_window_bounds", "kernel_window_bounds"), strict=False))
    return [(name, "input_window_bounds") for name, one in body.items() if one.opcode == "parameter"]


def _bounds(kernel: Instruction, name: str) -> list[int]:
    """Sides of a window in tiles, the outermost first; or steps of the grid."""
    found = re.search(rf'"{name}":\[([^\]]*)\]', kernel.text)
    return [int(side) for side in re.findall(r"\d+", found[1])] if found else []


def _sources(body: dict[str, Instruction], name: str) -> Iterator[int]:
    """Numbers of the kernel's operands from which a value inside it is computed."""
    seen, left = {name}, [name]
    while left:
        one = body[left.pop()]
        if one.opcode == "parameter":
            yield int(one.text.partition(")")[0])
        new = {source for source in one.inputs if source in body} - seen
        seen |= new
        left += new
