"""Where a run is in its data. All of it: a number of samples, kept in every checkpoint (`Metadata.samples`).

The order of the samples, what augmentation makes of each and what takes a corrupt one's place depend on the
seed and the position alone (data/order.py, data/pipeline.py). So a resumed run only has to go to the batch
that begins at its number of samples, however many processes and threads read then.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Position:
    """A step of a run and the samples it has consumed by then, over all processes."""

    step: int = 0
    samples: int = 0

    def at(self, step: int, batch_size: int) -> "Position":
        """Returns the position at a later step, if every step from here on takes `batch_size` samples."""
        return Position(step, self.samples + (step - self.step) * batch_size)

    def go_to(self, data: Any, batch_size: int) -> None:
        """Puts an iterator of `pipeline.training_batches` here.

        With another batch size than before, at the beginning of the batch that holds this sample.
        """
        data.set_state({"next_index": self.samples // batch_size})
