"""The small detector taught by a large one: the experiment small with a teacher, LipFD by default.

    lipfd train --config=distilled --teacher=runs/lipfd --workdir=runs/distilled --config.data.path=data/clips

The model, data and pairs of the experiment small. To its losses comes the cross-entropy with the teacher's
probabilities at a temperature (arXiv 1503.02531); the teacher scores each window as its pair shows it, moved,
degraded and, in a pseudo-forgery, with the replaced mouths in all five frames. Any checkpoint teaches: of
`lipfd train`, or converted.

It has not been run in full, so its score is unknown. A teacher passes on at best what it knows: evaluate it
first on videos of other sources. Time, by arithmetic: the forward pass of lipfd takes 0.3 TFLOP a window, 5 a
step: hours for all 180 steps on two cores, minutes on an accelerator.
"""

import dataclasses

import ml_collections

from lipfd_jax.experiments.small import SMALL

DISTILLED = dataclasses.replace(
    SMALL,
    name="distilled",
    teacher="runs/lipfd",
    loss=dataclasses.replace(SMALL.loss, teacher_weight=0.5, temperature=2.0),
)


def get_config() -> ml_collections.ConfigDict:
    """Returns the experiment; every field can be overridden on the command line."""
    return ml_collections.ConfigDict(DISTILLED.to_dict())
