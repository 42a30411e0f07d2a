"""TPU chips and slices: published specifications of a chip, and names of slices such as v5e:16x16."""

import dataclasses
import math
import re


@dataclasses.dataclass(frozen=True)
class Chip:
    """A TPU chip by its maker's published specifications."""

    name: str
    flops: float  # bfloat16 operations a second
    bandwidth: float  # bytes a second between the chip and its memory (HBM)
    memory: float  # bytes of HBM
    slices: tuple[str, ...]  # usual shapes; any other shape with as many sides is accepted


_FLAT = ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
_CUBES = ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8")
CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v5e", flops=197e12, bandwidth=819e9, memory=16e9, slices=_FLAT),
        Chip("v6e", flops=918e12, bandwidth=1640e9, memory=32e9, slices=_FLAT),
        Chip("v5p", flops=459e12, bandwidth=2765e9, memory=95e9, slices=_CUBES),
    )
}


@dataclasses.dataclass(frozen=True)
class Topology:
    """A slice of chips."""

    chip: Chip
    shape: tuple[int, ...]

    @property
    def chips(self) -> int:
        """Number of chips."""
        return math.prod(self.shape)

    @property
    def name(self) -> str:
        """CHIP:AxB or CHIP:AxBxC."""
        return f"{self.chip.name}:{'x'.join(map(str, self.shape))}"


def parse_topology(text: str) -> Topology:
    """Returns the slice named CHIP:AxB (v5e, v6e) or CHIP:AxBxC (v5p).

    Raises:
      ValueError: the chip is unknown or its slices have another number of sides.
    """
    name, _, shape = text.strip().partition(":")
    if name not in CHIPS:
        raise ValueError(f"topology {text!r}: unknown chip {name!r}; use {', '.join(CHIPS)}, as in v5e:4x4")
    example = CHIPS[name].slices[-1]
    expected = f"expected one like {name}:{example}"
    sides = re.findall(r"[1-9]\d*", shape)
    if "x".join(sides) != shape or len(sides) != len(example.split("x")):
        raise ValueError(f"topology {text!r}: {shape!r} is no shape of {name}; {expected}")
    return Topology(CHIPS[name], tuple(map(int, sides)))


def format_topologies() -> str:
    """Returns the chips and their usual slices as a text table."""
    lines = [f"{'chip':<5}{'TFLOP/s':>9}{'GB/s':>7}{'GB':>5}  topologies"]
    for chip in CHIPS.values():
        numbers = f"{chip.flops / 1e12:9.0f}{chip.bandwidth / 1e9:7.0f}{chip.memory / 1e9:5.0f}"
        lines.append(f"{chip.name:<5}{numbers}  {' '.join(f'{chip.name}:{shape}' for shape in chip.slices)}")
    return "\n".join(lines)
