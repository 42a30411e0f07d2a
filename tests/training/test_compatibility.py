"""Whether a run may resume from a checkpoint."""

import dataclasses

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.training.compatibility import (
    describe_changed_records,
    has_same_structure,
    list_changed_settings,
)

OLD, NEW = {"sum": "a", "words": "old ones"}, {"sum": "b", "words": "new ones"}


def _metadata(experiment, **values):
    return Metadata(experiment.model, "paper", experiment=experiment.to_dict(), **values)


def test_only_what_shapes_the_arrays_must_be_the_same(experiment, changed):
    metadata = _metadata(experiment)
    assert has_same_structure(metadata, changed(steps=99, optimizer={"learning_rate": 1.0}))
    assert not has_same_structure(metadata, changed(optimizer={"trained_blocks": 1}))
    assert not has_same_structure(metadata, changed(optimizer={"ema": 0.9}))
    assert not has_same_structure(metadata, changed(model={"activation": "gelu"}))


def test_changed_records_are_named_with_both(experiment):
    metadata = _metadata(experiment, records={"training": OLD})
    assert describe_changed_records(metadata, {"training": OLD, "validation": NEW}) == ""
    assert describe_changed_records(metadata, {"training": {**OLD, "words": "moved"}}) == ""
    found = describe_changed_records(metadata, {"training": NEW})
    assert found == "training records were old ones (sum a), now they are new ones (sum b)"
    assert describe_changed_records(dataclasses.replace(metadata, records={}), {"training": NEW}) == ""


def test_changed_settings_are_named(experiment, changed):
    before = {**experiment.to_dict(), "model": {"convention": "paper"}}
    assert list_changed_settings(before, changed(steps=9, optimizer={"ema": 0.5}).to_dict()) == [
        *("optimizer.ema 0.0 -> 0.5", "steps 4 -> 9")
    ]
