"""The encoders there are: the whole composite to one global feature.

Tables of their pretrained weights stand in their files; checkpoints.clip finds the one for a file.
"""

from typing import Any, Protocol

import jax
from flax import nnx

from lipfd_jax.models.vit import ViTConfig


class Encoder(Protocol):
    """An encoder's configuration: its sizes, and all that the rest asks of it."""

    patch: int  # pictures are a multiple of this on each side
    layers: int  # blocks, of which the last ones can be trained alone
    features: int  # width of the global feature

    def build(
        self,
        image_size: int,
        *,
        activation: str,
        dtype: jax.typing.DTypeLike,
        remat: bool,
        rngs: nnx.Rngs,
    ) -> Any:
        """The module: pictures (B, S, S, 3) to (B, features); computes in dtype."""

    def operations(self, side: int) -> tuple[int, int, int]:
        """Of the embedding, of one block's matrices and of its attention; two per multiply-add."""


ENCODERS: dict[str, Encoder] = {
    "vit_l14": ViTConfig(patch=14, width=1024, layers=24, heads=16, features=768),
    "vit_b16": ViTConfig(patch=16, width=768, layers=12, heads=12, features=512),
    "vit_b32": ViTConfig(patch=32, width=768, layers=12, heads=12, features=512),
    "vit_tiny": ViTConfig(patch=8, width=128, layers=2, heads=4, features=128),  # tests and demo
}
