"""A work folder belongs to one plan: runs of another recipe or of other records are not taken for its own."""

import dataclasses

import pytest

from lipfd_jax.experiments.small import SMALL
from lipfd_jax.tools.weights.plan import WeightsPlan, check_plan


def test_another_plan_is_refused_and_seeds_may_be_added(tmp_path):
    plan = WeightsPlan((tmp_path / "videos",), tmp_path / "work", SMALL, seeds=(0,))
    plan.work.mkdir()
    check_plan(plan, ["records"])
    check_plan(dataclasses.replace(plan, seeds=(0, 1), jobs=7), ["records"])
    others = {
        "records": (plan, ["other"]),
        "recipe": (dataclasses.replace(plan, recipe=dataclasses.replace(SMALL, steps=7)), ["records"]),
    }
    for name, (other, digests) in others.items():
        with pytest.raises(ValueError, match=f"have other {name}; choose another --work"):
            check_plan(other, digests)
    check_plan(plan, ["records"])


def test_averages_of_other_seeds_have_folders_of_their_own(tmp_path):
    plan = WeightsPlan((tmp_path,), tmp_path, SMALL, seeds=(0,))
    assert plan.checkpoint != dataclasses.replace(plan, seeds=(0, 1)).checkpoint
