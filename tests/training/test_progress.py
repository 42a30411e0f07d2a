"""What a person is told of a run's pace."""

from lipfd_jax.training import progress
from lipfd_jax.training.progress import Progress


def test_a_short_line_between_two_long_ones(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    clock = Progress(batch_size=4, step=10, steps=100)
    now += 59
    assert not clock.is_silent()
    now += 2
    assert clock.is_silent()
    assert clock.format_short_line(20) == "step 20/100  6.1 s a step  0:08:08 left"
    assert not clock.is_silent()
    assert clock.measure_rates(20)["seconds_left"] == 80 * 6.1
