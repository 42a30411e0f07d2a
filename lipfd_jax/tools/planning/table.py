"""A plan as a table: a column for each slice and batch, a row for each quantity."""

import dataclasses
from collections.abc import Callable, Sequence

from lipfd_jax.tools.planning.chips import Topology
from lipfd_jax.tools.planning.compilation import Compiled
from lipfd_jax.tools.planning.feeding import COMPOSITE_BYTES, cores
from lipfd_jax.tools.planning.roofline import Roofline, epoch_hours, roofline, utilisation


@dataclasses.dataclass(frozen=True)
class Plan:
    """One column: the question, what the compiler said, and the operations the network needs a sample."""

    topology: Topology
    batch_per_chip: int
    model_flops: float
    compiled: Compiled

    @property
    def bounds(self) -> Roofline:
        """Lower bounds of a step's time, memory by what goes to and from HBM when all is read once."""
        return self._roofline(self.compiled.memory_bytes)

    def _roofline(self, memory_bytes: float) -> Roofline:
        chip, found = self.topology.chip, self.compiled
        return roofline(chip, flops=found.flops, memory_bytes=memory_bytes, collectives=found.collectives)

    @property
    def samples_per_second(self) -> float:
        """Of the whole slice, by the longest bound."""
        return self.batch_per_chip * self.topology.chips / self.bounds.seconds

    def utilisation(self, bounds: Roofline) -> float:
        """Model FLOPs utilisation of a step that takes no longer than the bounds."""
        needed = self.model_flops * self.batch_per_chip
        return utilisation(self.topology.chip, model_flops=needed, seconds=bounds.seconds)

    @property
    def refetching_bounds(self) -> Roofline:
        """As `bounds`, if every step of a kernel fetches its windows: the most the program can move."""
        return self._roofline(self.compiled.memory_bytes + self.compiled.refetched_bytes)

    @property
    def host_rate(self) -> float:
        """Samples a second that each host must bring."""
        return self.samples_per_second / self.compiled.hosts


# Name of the row and what stands in it; rows after the first few only where the step fits.
_ROWS: tuple[tuple[str, Callable[[Plan], str]], ...] = (
    ("chips, hosts", lambda p: f"{p.topology.chips}, {p.compiled.hosts}"),
    ("samples per chip", lambda p: f"{p.batch_per_chip}"),
    ("global batch", lambda p: f"{p.batch_per_chip * p.topology.chips}"),
    ("fits", lambda p: "yes" if p.compiled.fits else "NO"),
    ("memory per chip, GB", lambda p: f"{p.compiled.memory / 1e9:.1f} of {_available(p) / 1e9:.1f}"),
)
_REFETCHING = "  if every window is fetched"
_FITTING_ROWS: tuple[tuple[str, Callable[[Plan], str]], ...] = (
    ("  state and batch", lambda p: f"{p.compiled.arguments / 1e9:.1f}"),
    ("  temporaries", lambda p: f"{p.compiled.temporaries / 1e9:.1f}"),
    ("GFLOP per sample", lambda p: f"{p.compiled.flops / p.batch_per_chip / 1e9:.0f}"),
    ("  the network's own", lambda p: f"{p.model_flops / 1e9:.0f}"),
    ("GB per sample, HBM", lambda p: f"{_gigabytes(p, p.compiled.memory_bytes):.2f}"),
    (_REFETCHING, lambda p: f"{_gigabytes(p, p.compiled.memory_bytes + p.compiled.refetched_bytes):.2f}"),
    ("  all memories, compiler's count", lambda p: f"{_gigabytes(p, p.compiled.bytes_accessed):.2f}"),
    ("step at least, ms", lambda p: f"{p.bounds.seconds * 1e3:.1f}"),
    ("  arithmetic", lambda p: f"{p.bounds.arithmetic * 1e3:.1f}"),
    ("  memory", lambda p: f"{p.bounds.memory * 1e3:.1f}"),
    ("  interconnect", lambda p: f"{p.bounds.interconnect * 1e3:.1f}"),
    ("bound by", lambda p: p.bounds.bound),
    ("Mcycles, compiler's estimate", lambda p: f"{p.compiled.cycles / 1e6:.0f}"),
    ("MFU at most", lambda p: f"{p.utilisation(p.bounds):.1%}"),
    (_REFETCHING, lambda p: f"{p.utilisation(p.refetching_bounds):.1%}"),
    ("collectives per step, MB", lambda p: f"{sum(p.compiled.collectives.values()) / 1e6:.1f}"),
    ("samples/s at most", lambda p: f"{p.samples_per_second:,.0f}"),
    ("hours per epoch of AVLips", lambda p: f"{epoch_hours(p.samples_per_second):.2g}"),
    ("each host feeds, samples/s", lambda p: f"{p.host_rate:,.0f}"),
    ("  cores, compact records", lambda p: f"{cores(p.host_rate, 'compact'):.1f}"),
    ("  cores, records of PNGs", lambda p: f"{cores(p.host_rate, 'composite'):.1f}"),
    ("  GB/s of composites to chips", lambda p: f"{p.host_rate * COMPOSITE_BYTES / 1e9:.1f}"),
)


def plan_table(plans: Sequence[Plan]) -> str:
    """The plans side by side, as text to print."""
    lines = [("", *(plan.topology.name for plan in plans))]
    lines += [(name, *map(value, plans)) for name, value in _ROWS]
    lines += [
        (name, *(value(plan) if plan.compiled.fits else "-" for plan in plans))
        for name, value in _FITTING_ROWS
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    values = (value.rjust(width) for value, width in zip(line[1:], widths[1:], strict=True))
    return "  ".join([line[0].ljust(widths[0]), *values]).rstrip()


def _gigabytes(plan: Plan, step: float) -> float:
    return step / plan.batch_per_chip / 1e9


def _available(plan: Plan) -> float:
    return plan.compiled.available or plan.topology.chip.memory
