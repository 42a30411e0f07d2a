"""Roofline arithmetic on round numbers."""

import pytest

from lipfd_jax.tools.planning.chips import Chip
from lipfd_jax.tools.planning.roofline import epoch_hours, roofline, utilisation

CHIP = Chip("test", flops=100.0, bandwidth=10.0, memory=1.0, interconnect=5.0, slices=())


@pytest.mark.parametrize(
    ("flops", "memory_bytes", "collectives", "seconds", "bound"),
    [
        (300, 20, {}, 3, "arithmetic"),
        (300, 40, {}, 4, "memory"),
        (300, 40, {"all-reduce": 20}, 8, "interconnect"),  # there and back
        (300, 40, {"all-gather": 20}, 4, "memory"),
    ],
)
def test_the_slowest_side_binds(flops, memory_bytes, collectives, seconds, bound):
    found = roofline(CHIP, flops=flops, memory_bytes=memory_bytes, collectives=collectives)
    assert (found.seconds, found.bound) == (seconds, bound)


def test_utilisation_counts_only_what_the_network_needs():
    assert utilisation(CHIP, model_flops=100, seconds=4) == 0.25


def test_epoch_is_all_windows():
    assert epoch_hours(76_020 / 3600) == pytest.approx(1)
