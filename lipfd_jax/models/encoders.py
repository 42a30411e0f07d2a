"""Image encoders: the whole composite to one global feature.

The tables of their pretrained weights are in their modules; `checkpoints.clip_vit` selects the table of a
file.
"""

import dataclasses
from typing import Any, Protocol

import jax
from flax import nnx

from lipfd_jax.models.vit import ViTConfig


class Encoder(Protocol):
    """Configuration of an encoder: its sizes, and all that other modules use of it."""

    @property
    def patch(self) -> int:
        """Image sides are multiples of this."""

    @property
    def layers(self) -> int:
        """Number of blocks; training can be limited to the last ones."""

    @property
    def features(self) -> int:
        """Width of the global feature."""

    def build(
        self,
        image_size: int,
        *,
        activation: str,
        dtype: jax.typing.DTypeLike,
        remat: bool,
        rngs: nnx.Rngs,
    ) -> Any:
        """Builds the module: images (B, S, S, 3) to (B, features); computes in dtype."""

    def count_flops(self, side: int) -> tuple[int, int, int]:
        """Returns FLOPs (two per multiply-add): embedding, matrices of one block, its attention."""


@dataclasses.dataclass(frozen=True)
class NoEncoder:
    """Stands for the encoder of a model that looks at crops alone; an Encoder without features."""

    patch: int = 1
    layers: int = 0
    features: int = 0

    def build(self, image_size: int, **options: Any) -> None:
        """Builds nothing."""

    def count_flops(self, side: int) -> tuple[int, int, int]:
        """Returns zeros."""
        return 0, 0, 0


ENCODERS: dict[str, Encoder] = {
    "vit_l14": ViTConfig(patch=14, width=1024, layers=24, heads=16, features=768),
    "vit_b16": ViTConfig(patch=16, width=768, layers=12, heads=12, features=512),
    "vit_b32": ViTConfig(patch=32, width=768, layers=12, heads=12, features=512),
    "none": NoEncoder(),
    "vit_tiny": ViTConfig(patch=8, width=128, layers=2, heads=4, features=128),  # tests and demo
}
