"""Position of a run in its data: a number of samples, stored in every checkpoint (`Metadata.samples`).

The order of the samples, their augmentation and the replacements of corrupt ones depend on the seed and the
position alone (data/order.py, data/pipeline.py). A resumed run therefore continues at the batch that begins
at its number of samples, whatever its number of processes and threads.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Position:
    """A step of a run and the samples it has consumed by then, over all processes."""

    step: int = 0
    samples: int = 0

    def advance(self, step: int, batch_size: int) -> "Position":
        """Returns the position at a later step, if every step from here on takes `batch_size` samples."""
        return Position(step, self.samples + (step - self.step) * batch_size)

    def seek(self, data: Any, batch_size: int) -> None:
        """Moves an iterator of `pipeline.make_training_batches` to this position.

        After a change of the batch size it starts at the batch that holds this sample.
        """
        data.set_state({"next_index": self.samples // batch_size})
