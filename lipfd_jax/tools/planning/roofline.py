"""Lower bounds of a step's time: what limits a chip, and what follows for a whole run."""

import dataclasses

from lipfd_jax.tools.planning.chips import Chip

AVLIPS_WINDOWS = 76_020  # ten of each of AVLips v1.0's 7,602 videos


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Seconds a step takes at least on one chip, by what it has to wait for."""

    arithmetic: float
    memory: float
    interconnect: float

    @property
    def seconds(self) -> float:
        """The longest of the three, as if they overlapped perfectly."""
        return max(self.arithmetic, self.memory, self.interconnect)

    @property
    def bound(self) -> str:
        """Name of the longest."""
        return max(("arithmetic", "memory", "interconnect"), key=lambda side: getattr(self, side))


def roofline(chip: Chip, *, flops: float, memory_bytes: float, collectives: dict[str, int]) -> Roofline:
    """The bounds for one chip's part of a step.

    An all-reduce sends its bytes twice, once to sum and once to spread the sum; other collectives once. All
    links are taken to be used at once, which small slices without wrap-around can't.
    """
    sent = sum(size * (2 if kind == "all-reduce" else 1) for kind, size in collectives.items())
    return Roofline(flops / chip.flops, memory_bytes / chip.bandwidth, sent / chip.interconnect)


def utilisation(chip: Chip, *, model_flops: float, seconds: float) -> float:
    """Model FLOPs utilisation: the part of the chip's arithmetic that the network itself needs."""
    return model_flops / (seconds * chip.flops)


def epoch_hours(samples_per_second: float) -> float:
    """Hours to see every window of AVLips once."""
    return AVLIPS_WINDOWS / samples_per_second / 3600
