"""Table of plans: a column for each slice and batch, a row for each quantity."""

import dataclasses
from collections.abc import Callable, Sequence

from lipfd_jax.tools.planning.chips import Topology
from lipfd_jax.tools.planning.compilation import CompiledStep

AVLIPS_WINDOWS = 76_020  # ten of each of AVLips v1.0's 7,602 videos
COMPOSITE_BYTES = 1000 * 2500 * 3
# Milliseconds of one core to read a window and rebuild its composite, by encoding of the records: measured by
# benchmarks/encodings.py, table in docs/encodings.md. Augmentation comes on top.
READ_MS = {"compact": 5.4, "composite": 38.0}


@dataclasses.dataclass(frozen=True)
class Plan:
    """A column of the table. Times are lower bounds: arithmetic at the chip's peak, everything else free."""

    topology: Topology
    batch_per_chip: int
    model_flops: float  # the network's operations, per sample
    compiled: CompiledStep

    @property
    def seconds(self) -> float:
        """Shortest time of a step, by arithmetic."""
        return self.compiled.flops / self.topology.chip.flops

    @property
    def utilisation(self) -> float:
        """Largest model FLOPs utilisation: the share of the peak that the network itself needs."""
        return self.model_flops * self.batch_per_chip / (self.seconds * self.topology.chip.flops)

    @property
    def memory_seconds(self) -> float:
        """Time of all accesses that the compiler counts, on-chip ones included, at the bandwidth of HBM."""
        return self.compiled.bytes_accessed / self.topology.chip.bandwidth

    @property
    def samples_per_second(self) -> float:
        """Largest throughput of the whole slice."""
        return self.batch_per_chip * self.topology.chips / self.seconds

    @property
    def host_rate(self) -> float:
        """Samples per second that each host reads at that throughput."""
        return self.samples_per_second / self.compiled.hosts

    def cores(self, encoding: str) -> float:
        """Cores of each host that only read records of this encoding, at that throughput."""
        return self.host_rate * READ_MS[encoding] / 1000


# Title of a row and its value; the second table holds for steps that fit.
_ROWS: tuple[tuple[str, Callable[[Plan], str]], ...] = (
    ("chips, hosts", lambda p: f"{p.topology.chips}, {p.compiled.hosts}"),
    ("samples per chip", lambda p: f"{p.batch_per_chip}"),
    ("global batch", lambda p: f"{p.batch_per_chip * p.topology.chips}"),
    ("fits", lambda p: "yes" if p.compiled.fits else "NO"),
    ("memory per chip, GB", lambda p: f"{p.compiled.memory / 1e9:.1f} of {_available(p) / 1e9:.1f}"),
)
_FITTING_ROWS: tuple[tuple[str, Callable[[Plan], str]], ...] = (
    ("  state and batch", lambda p: f"{p.compiled.arguments / 1e9:.1f}"),
    ("  temporaries", lambda p: f"{p.compiled.temporaries / 1e9:.1f}"),
    ("GFLOP per sample", lambda p: f"{p.compiled.flops / p.batch_per_chip / 1e9:.0f}"),
    ("  the network's own", lambda p: f"{p.model_flops / 1e9:.0f}"),
    ("GB per sample, on-chip accesses too", lambda p: f"{_gigabytes_per_sample(p):.2f}"),
    ("step at least, ms (arithmetic)", lambda p: f"{p.seconds * 1e3:.1f}"),
    ("  those accesses at HBM's rate, ms", lambda p: f"{p.memory_seconds * 1e3:.1f}"),
    ("MFU at most", lambda p: f"{p.utilisation:.1%}"),
    ("samples/s at most", lambda p: f"{p.samples_per_second:,.0f}"),
    ("hours per epoch of AVLips", lambda p: f"{AVLIPS_WINDOWS / p.samples_per_second / 3600:.2g}"),
    ("each host feeds, samples/s", lambda p: f"{p.host_rate:,.0f}"),
    ("  cores, compact records", lambda p: f"{p.cores('compact'):.1f}"),
    ("  cores, records of PNGs", lambda p: f"{p.cores('composite'):.1f}"),
    ("  GB/s of composites to chips", lambda p: f"{p.host_rate * COMPOSITE_BYTES / 1e9:.1f}"),
)


def format_plans(plans: Sequence[Plan]) -> str:
    """Returns the plans side by side as a text table; a step that doesn't fit shows dashes for times."""
    lines = [("", *(plan.topology.name for plan in plans))]
    lines += [(name, *map(value, plans)) for name, value in _ROWS]
    lines += [
        (name, *(value(plan) if plan.compiled.fits else "-" for plan in plans))
        for name, value in _FITTING_ROWS
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_align_line(line, widths) for line in lines)


def _align_line(line: tuple[str, ...], widths: list[int]) -> str:
    values = (value.rjust(width) for value, width in zip(line[1:], widths[1:], strict=True))
    return "  ".join([line[0].ljust(widths[0]), *values]).rstrip()


def _gigabytes_per_sample(plan: Plan) -> float:
    return plan.compiled.bytes_accessed / plan.batch_per_chip / 1e9


def _available(plan: Plan) -> float:
    return plan.compiled.available or plan.topology.chip.memory
