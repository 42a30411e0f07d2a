"""Progress of a run: throughput, share of time waiting for data, and time left."""

import time

_SILENCE = 60.0  # seconds without a log line after which a short one is due


class Progress:
    """Clock of a run; evaluation and checkpoints don't count as training time."""

    def __init__(self, batch_size: int, step: int, steps: int):
        self.batch_size, self.steps = batch_size, steps
        self._step, self._since, self._waiting = step, time.perf_counter(), 0.0
        self._told = time.perf_counter()

    def add_waiting(self, seconds: float) -> None:
        """Counts time in which the devices had no batch to work on next."""
        self._waiting += seconds

    def restart(self, step: int) -> None:
        """Restarts the clock at a step, after something that is not training."""
        self._step = step
        self._since, self._waiting = time.perf_counter(), 0.0

    def measure_rates(self, step: int) -> dict[str, float]:
        """Returns samples_per_second, waiting_share and seconds_left; restarts the clock."""
        seconds = max(time.perf_counter() - self._since, 1e-9)
        done = max(step - self._step, 1)
        values = {
            "samples_per_second": done * self.batch_size / seconds,
            "waiting_share": min(self._waiting / seconds, 1.0),
            "seconds_left": seconds / done * (self.steps - step),
        }
        self.restart(step)
        return values

    def is_silent(self) -> bool:
        """Returns whether a minute has passed since the last log line."""
        return time.perf_counter() - self._told > _SILENCE

    def format_short_line(self, step: int) -> str:
        """Returns a short log line, between two full ones."""
        pace = (time.perf_counter() - self._since) / max(step - self._step, 1)
        self._told = time.perf_counter()
        return (
            f"step {step}/{self.steps}  {pace:.1f} s a step  {_format_time(pace * (self.steps - step))} left"
        )

    def format_line(self, step: int, measured: dict[str, float], rates: dict[str, float]) -> str:
        """Returns a full log line."""
        self._told = time.perf_counter()
        return (
            f"step {step}/{self.steps}  loss {measured['loss']:.4f} (classification "
            f"{measured['classification']:.4f}, region {measured['region']:.3f})  "
            f"accuracy {measured['accuracy']:.3f}  lr {measured['learning_rate']:.2e}  "
            f"gradient {measured['gradient_norm']:.2f}  {rates['samples_per_second']:.1f} samples/s  "
            f"waiting for data {rates['waiting_share']:.1%}  {_format_time(rates['seconds_left'])} left"
        )


def _format_time(seconds: float) -> str:
    left = int(seconds)
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
