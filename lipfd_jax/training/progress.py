"""How fast a run goes, how long it waits for data, and when it will be done."""

import time


class Progress:
    """Clock of a run; evaluation and checkpoints don't count as training time."""

    def __init__(self, batch_size: int, step: int, steps: int):
        self.batch_size, self.steps = batch_size, steps
        self._step, self._since, self._waiting = step, time.perf_counter(), 0.0
        self._pace: float | None = None

    def waited(self, seconds: float) -> None:
        """Counts time in which the devices had no batch to work on next."""
        self._waiting += seconds

    def skip_time(self, step: int) -> None:
        """Restarts the clock at a step, after something that is not training."""
        self._step = step
        self._since, self._waiting = time.perf_counter(), 0.0

    def rates(self, step: int) -> dict[str, float]:
        """Returns samples_per_second, waiting_share and seconds_left; restarts the clock."""
        seconds = max(time.perf_counter() - self._since, 1e-9)
        done = max(step - self._step, 1)
        self._pace = seconds / done
        values = {
            "samples_per_second": done * self.batch_size / seconds,
            "waiting_share": min(self._waiting / seconds, 1.0),
            "seconds_left": self._pace * (self.steps - step),
        }
        self.skip_time(step)
        return values

    def line(self, step: int, measured: dict[str, float], rates: dict[str, float]) -> str:
        """Returns a log line for a person."""
        left = int(rates["seconds_left"])
        clock = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        return (
            f"step {step}/{self.steps}  loss {measured['loss']:.4f} (classification "
            f"{measured['classification']:.4f}, region {measured['region']:.3f})  "
            f"accuracy {measured['accuracy']:.3f}  lr {measured['learning_rate']:.2e}  "
            f"gradient {measured['gradient_norm']:.2f}  {rates['samples_per_second']:.1f} samples/s  "
            f"waiting for data {rates['waiting_share']:.1%}  {clock} left"
        )
