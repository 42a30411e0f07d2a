"""Compiled training programs that the tests of one process share."""

import pytest

from lipfd_jax.training import state, step


def share_programs(patch: pytest.MonkeyPatch) -> dict:
    """Makes runs with the same programs share them: tracing one again takes five seconds of a core.

    A step and a draw depend on these settings alone; where records lie, the seed and what is due when are
    nothing to them. Returns what is shared; cleared, everything is made anew.
    """
    shared = {}

    def memo(module, name):
        make = getattr(module, name)

        def made(recipe, *kernels):
            experiment = recipe.experiment
            settings = experiment.model, experiment.optimizer, experiment.steps, experiment.loss
            key = name, *settings, *kernels
            if key not in shared:
                shared[key] = make(recipe, *kernels)
            return shared[key]

        patch.setattr(module, name, made)

    memo(step, "make_step")
    memo(state, "_make_creator")
    return shared
