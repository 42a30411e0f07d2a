"""A plan as a table: a column for each slice and batch, a row for each quantity."""

import dataclasses
from collections.abc import Callable, Sequence

from lipfd_jax.planning.chips import Topology
from lipfd_jax.planning.compilation import Compiled
from lipfd_jax.planning.feeding import COMPOSITES_PER_CORE
from lipfd_jax.planning.roofline import Roofline, epoch_hours, roofline, utilisation


@dataclasses.dataclass(frozen=True)
class Plan:
    """One column: the question, what the compiler said, and the operations the network needs a sample."""

    topology: Topology
    batch_per_chip: int
    model_flops: float
    compiled: Compiled

    @property
    def bounds(self) -> Roofline:
        """Lower bounds of a step's time."""
        found = self.compiled
        return roofline(
            self.topology.chip,
            flops=found.flops,
            bytes_accessed=found.bytes_accessed,
            collectives=found.collectives,
        )

    @property
    def samples_per_second(self) -> float:
        """Of the whole slice, by the longest bound."""
        return self.batch_per_chip * self.topology.chips / self.bounds.seconds

    @property
    def utilisation(self) -> float:
        """Model FLOPs utilisation by roofline."""
        needed = self.model_flops * self.batch_per_chip
        return utilisation(self.topology.chip, model_flops=needed, seconds=self.bounds.seconds)

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
_FITTING_ROWS: tuple[tuple[str, Callable[[Plan], str]], ...] = (
    ("  state and batch", lambda p: f"{p.compiled.arguments / 1e9:.1f}"),
    ("  temporaries", lambda p: f"{p.compiled.temporaries / 1e9:.1f}"),
    ("GFLOP per sample", lambda p: f"{p.compiled.flops / p.batch_per_chip / 1e9:.0f}"),
    ("  the network's own", lambda p: f"{p.model_flops / 1e9:.0f}"),
    ("GB accessed per sample", lambda p: f"{p.compiled.bytes_accessed / p.batch_per_chip / 1e9:.2f}"),
    ("step at least, ms", lambda p: f"{p.bounds.seconds * 1e3:.1f}"),
    ("  arithmetic", lambda p: f"{p.bounds.arithmetic * 1e3:.1f}"),
    ("  memory", lambda p: f"{p.bounds.memory * 1e3:.1f}"),
    ("  interconnect", lambda p: f"{p.bounds.interconnect * 1e3:.1f}"),
    ("bound by", lambda p: p.bounds.bound),
    ("MFU at most", lambda p: f"{p.utilisation:.1%}"),
    ("collectives per step, MB", lambda p: f"{sum(p.compiled.collectives.values()) / 1e6:.1f}"),
    ("samples/s at most", lambda p: f"{p.samples_per_second:,.0f}"),
    ("hours per epoch of AVLips", lambda p: f"{epoch_hours(p.samples_per_second):.3f}"),
    ("each host feeds, samples/s", lambda p: f"{p.host_rate:,.0f}"),
    ("  cores that takes", lambda p: f"{p.host_rate / COMPOSITES_PER_CORE:.0f}"),
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
    return "\n".join(
        "  ".join(
            [name.ljust(widths[0]), *(v.rjust(w) for v, w in zip(values, widths[1:], strict=True))]
        ).rstrip()
        for name, *values in lines
    )


def _available(plan: Plan) -> float:
    return plan.compiled.available or plan.topology.chip.memory
