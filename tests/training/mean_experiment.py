"""Experiment with the networks `mean`, for tests that start train.py."""

import ml_collections

from lipfd_jax.experiments import lipfd
from tests import tiny_networks


def get_config() -> ml_collections.ConfigDict:
    """Returns the tiny experiment with other networks, which the import above registers."""
    config = lipfd.get_config("tiny")
    config.model.encoder = tiny_networks.MEAN.encoder
    config.model.backbone = tiny_networks.MEAN.backbone
    return config
