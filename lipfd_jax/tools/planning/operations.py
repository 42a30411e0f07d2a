"""FLOPs of the network per sample, counted from its configuration: the numerator of MFU."""

import dataclasses

from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.encoders import ENCODERS
from lipfd_jax.models.lipfd import ModelConfig


@dataclasses.dataclass(frozen=True)
class Operations:
    """Multiplications and additions per sample."""

    forward: float
    training: float  # forward, gradients of activations, gradients of trained parameters


def count_operations(config: ModelConfig, *, trained_blocks: int = 0) -> Operations:
    """Counts the FLOPs of the network as published, whatever a program recomputes or saves.

    Only products and convolutions count, with two operations per multiply-add; norms, activations and
    resizing are left out, as is usual. Gradients pass through the whole encoder, since the convolution before
    it is trained; a frozen matrix needs no gradient of its own.

    Args:
      config: the model.
      trained_blocks: trained blocks of the encoder, as in the settings: 0 none, n the last n, -1 all.
    """
    inputs, encoder = config.inputs, ENCODERS[config.encoder]
    side = inputs.picture_size // 5
    first = 2 * side**2 * 75 * 3  # none without a picture
    embedding, matrices, attention = encoder.count_flops(side)
    stem, stages = BACKBONES[config.backbone].count_flops(inputs.crop_size)
    pictures = len(config.members) or len(inputs.frame_numbers)
    crops = pictures * len(inputs.regions)
    blocks = encoder.layers if trained_blocks < 0 else trained_blocks
    forward = first + embedding + encoder.layers * (matrices + attention) + crops * (stem + stages)
    backward = first + embedding + encoder.layers * (matrices + 2 * attention)  # gradients of activations
    backward += blocks * matrices + (embedding if trained_blocks < 0 else 0)
    backward += crops * (stem + 2 * stages)  # nothing is behind the stem but the crops
    return Operations(float(forward), float(forward + backward))
