"""LipFD on AVLips: CLIP ViT-L/14 (frozen) + ResNet-50 + region attention, in the paper convention.

After "Lips Are Lying" (NeurIPS 2024, arXiv 2401.15668). The authors' recipe is not published; this one
follows what replications found to work: binary cross-entropy with a small region-awareness weight, frozen
encoder, AdamW. It has not been trained in full: the score to expect is the published one of the released
weights, ACC 0.937, AP 0.983, AUC 0.987 per window. Time: at least 8 minutes on a TPU v5e:2x4, by arithmetic
and memory traffic (computed, docs/tpu.md); real steps take longer.

    lipfd build --data_dir=data --manual_dir=AVLips --config=avlips
    lipfd train --config=lipfd --workdir=runs/lipfd

Pretrained weights (training from random ones stays far from the published scores): put HuggingFace's
openai/clip-vit-large-patch14 and torchvision's resnet50 into weights/ and add

    --from=weights/clip-vit-large-patch14/model.safetensors,weights/resnet50-11ad3fa6.pth

or set start_encoder and start_backbone of the Experiment below. The folder of a converted checkpoint is
accepted too.

Variants: lipfd:b16 (ViT-B/16 + ResNet-18, a third of the parameters) and lipfd:tiny (runs anywhere).

lipfd:unfrozen continues a finished run with the last four blocks of the encoder trained too, at a twentieth
of the learning rate (1e-5). The encoder comes second because gradients of an untrained head spoil its
features for other data (arXiv 2202.10054).

    lipfd train --config=lipfd:unfrozen --from=runs/lipfd --workdir=runs/unfrozen

It has not been run: whether it scores higher than lipfd, inside AVLips or outside, is unknown; compare both
on data of other sources. Time, by arithmetic: a step takes a twentieth longer than one of lipfd (gradients
of the weights of four of 24 blocks), and there are a third as many.
"""

import dataclasses

import ml_collections

from lipfd_jax.models.inputs import PAPER, Inputs
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.training.config import (
    DataSettings,
    Experiment,
    LossSettings,
    OptimizerSettings,
)

LIPFD = Experiment(
    name="lipfd",
    seed=0,
    steps=3000,  # ten epochs of AVLips as a whole, more of its training split
    batch_size=256,
    log_every=10,
    evaluate_every=300,
    checkpoint_every=300,
    model=ModelConfig(encoder="vit_l14", backbone="resnet50", inputs=PAPER, dtype="bfloat16"),
    data=DataSettings(path="data", builder_config="avlips", threads=16),
    optimizer=OptimizerSettings(learning_rate=2e-4, warmup_steps=200, weight_decay=1e-3),
    loss=LossSettings(region_weight=0.01),
)

VARIANTS = {
    "": LIPFD,
    "b16": dataclasses.replace(
        LIPFD,
        name="lipfd-b16",
        model=dataclasses.replace(LIPFD.model, encoder="vit_b16", backbone="resnet18"),
    ),
    "unfrozen": dataclasses.replace(
        LIPFD,
        name="lipfd-unfrozen",
        steps=1000,
        evaluate_every=100,
        checkpoint_every=100,
        optimizer=dataclasses.replace(
            LIPFD.optimizer, warmup_steps=100, trained_blocks=4, encoder_factor=0.05
        ),
    ),
    "tiny": dataclasses.replace(
        LIPFD,
        name="lipfd-tiny",
        steps=300,
        batch_size=16,
        evaluate_every=100,
        checkpoint_every=100,
        model=ModelConfig("vit_tiny", "resnet_tiny", Inputs("paper", picture_size=280, crop_size=64)),
        data=DataSettings(path="data", threads=2),
        optimizer=OptimizerSettings(
            learning_rate=1e-3, warmup_steps=20, trained_blocks=-1, encoder_factor=1.0
        ),
    ),
}


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """Returns the experiment; every field can be overridden: --config.optimizer.learning_rate=1e-4."""
    if variant not in VARIANTS:
        raise ValueError(f"no variant {variant!r}; there are {', '.join(map(repr, VARIANTS))}")
    return ml_collections.ConfigDict(VARIANTS[variant].to_dict())
