"""Operations the network needs per sample, counted from its configuration: the numerator of MFU."""

import dataclasses

from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.models.resnet import BACKBONES, BackboneConfig
from lipfd_jax.models.vit import ENCODERS, EncoderConfig
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, REGIONS


@dataclasses.dataclass(frozen=True)
class Operations:
    """Multiplications and additions per sample."""

    forward: float
    training: float  # forward, gradients of activations, gradients of trained parameters


def operations(config: ModelConfig, *, trained_blocks: int = 0) -> Operations:
    """Counts what the network as published needs; what a program repeats or saves does not change it.

    Products and convolutions only, two operations per multiply-add. Norms, activations and resizing are
    left out, as is usual. Gradients pass through the whole encoder, since the convolution before it is
    trained; a frozen matrix needs none for itself.

    Args:
      config: the model.
      trained_blocks: of the encoder, as in the settings: 0 none, n the last n, -1 all.
    """
    inputs, encoder = config.inputs, ENCODERS[config.encoder]
    side = inputs.picture_size // 5
    first = 2 * side**2 * 75 * 3
    embedding, matrices, attention = _encoder(encoder, side)
    stem, stages = _backbone(BACKBONES[config.backbone], inputs.crop_size)
    pictures = FRAMES_PER_WINDOW * len(REGIONS)
    blocks = encoder.layers if trained_blocks < 0 else trained_blocks
    forward = first + embedding + encoder.layers * (matrices + attention) + pictures * (stem + stages)
    backward = first + embedding + encoder.layers * (matrices + 2 * attention)  # of activations
    backward += blocks * matrices + (embedding if trained_blocks < 0 else 0)
    backward += pictures * (stem + 2 * stages)  # nothing is behind the stem but the pictures
    return Operations(float(forward), float(forward + backward))


def _encoder(config: EncoderConfig, side: int) -> tuple[int, int, int]:
    """Patch embedding; one block's matrices (qkv, out, MLP of four widths); its attention products."""
    patches = (side // config.patch) ** 2
    tokens = patches + 1
    embedding = 2 * patches * config.patch**2 * 3 * config.width
    return embedding, 2 * tokens * 12 * config.width**2, 2 * tokens**2 * 2 * config.width


def _backbone(config: BackboneConfig, side: int) -> tuple[int, int]:
    """The first convolution, and all others, for one picture."""
    side = -(-side // 2)
    stem = 2 * side**2 * 49 * 3 * config.width
    side, inputs, stages = -(-side // 2), config.width, 0
    for stage, depth in enumerate(config.depths):
        width = config.width * 2**stage
        outputs = width * (4 if config.bottleneck else 1)
        for block in range(depth):
            before = side
            if stage and not block:
                side = -(-side // 2)
            if config.bottleneck:
                stages += before**2 * inputs * width + side**2 * (9 * width**2 + width * outputs)
            else:
                stages += side**2 * 9 * (inputs * width + width * outputs)
            stages += side**2 * inputs * outputs if inputs != outputs or before != side else 0
            inputs = outputs
    return stem, 2 * stages
