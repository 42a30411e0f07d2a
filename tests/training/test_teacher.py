"""A teacher: its logits are learned, its weights stay, and a resumed run knows them again."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.folders import find_checkpoint, read_metadata
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.kernels.dispatch import kernels_for, with_kernels
from lipfd_jax.models import losses
from lipfd_jax.models.forward import forward
from lipfd_jax.models.inputs import Inputs, prepare_batch, prepare_crops
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.runtime.mesh import make_mesh
from lipfd_jax.training import metrics_log
from lipfd_jax.training.loop import train
from lipfd_jax.training.state import create_state, make_recipe
from lipfd_jax.training.step import make_step
from lipfd_jax.training.teacher import compute_teacher_logits, open_teacher
from tests.tiny_networks import MEAN

SMALL = ModelConfig("none", "mean", Inputs("paper", picture_size=0, crop_size=32))


@pytest.fixture
def taught(experiment, changed, tmp_path):
    """A run `teacher`, and the experiment of a small model that learns from it."""
    train(experiment, tmp_path / "teacher")
    return changed(model=SMALL, teacher=str(tmp_path / "teacher"), loss={"teacher_weight": 2.0})


def _open(experiment):
    mesh = make_mesh(devices=jax.devices()[:1])
    teacher = open_teacher(experiment, mesh, kernels=None, windows="paper")
    recipe = make_recipe(experiment, None, teacher.graph)
    return recipe, dataclasses.replace(create_state(recipe, mesh), teacher=teacher.state)


def _losses(workdir):
    return {line["step"]: (line["loss"], line["teacher"]) for line in metrics_log.read_log(workdir)}


@pytest.mark.parametrize("parts", [1, 2])
def test_the_step_adds_the_distance_from_the_teacher(taught, changed, parts):
    rng = np.random.default_rng(0)
    batch = {
        "composite": jnp.asarray(rng.integers(0, 256, (4, 1000, 2500, 3), np.uint8)),
        "label": jnp.array([0, 1, 1, 0], jnp.int32),
    }
    optimizer = dataclasses.replace(taught.optimizer, accumulate=parts)
    recipe, state = _open(dataclasses.replace(taught, optimizer=optimizer))
    teacher = jax.jit(forward)(open_model(taught.teacher).model, batch["composite"]).logits
    alone = make_recipe(dataclasses.replace(recipe.experiment, teacher=""))
    _, without = jax.jit(make_step(alone))(state, batch)
    student, found = recipe.model(state), []
    for k in range(parts):
        prepared = prepare_batch({"composite": batch["composite"][k::parts]}, SMALL.inputs)
        logits = student(prepared.image, prepared.crops, train=True).logits
        found.append(float(losses.distillation_loss(logits, teacher[k::parts], 2.0)))
    after, measured = jax.jit(make_step(recipe))(state, batch)
    assert float(measured["teacher"]) == pytest.approx(np.mean(found), rel=1e-4)
    assert float(measured["loss"]) == pytest.approx(float(without["loss"]) + 2 * np.mean(found), rel=1e-4)
    assert float(measured["gradient_norm"]) != pytest.approx(float(without["gradient_norm"]), rel=1e-3)
    for ours, before in zip(jax.tree.leaves(after.teacher), jax.tree.leaves(state.teacher), strict=True):
        np.testing.assert_array_equal(ours, before)


def test_resuming_is_exact_and_checkpoints_hold_no_teacher(taught, changed, tmp_path):
    train(taught, tmp_path / "whole")
    train(taught, tmp_path / "parts", stop=lambda step: step == 3)
    assert train(taught, tmp_path / "parts").finished
    assert _losses(tmp_path / "whole") == _losses(tmp_path / "parts")
    metadata = read_metadata(find_checkpoint(tmp_path / "whole"))
    assert metadata.teacher == open_model(taught.teacher).fingerprint
    assert set(metadata.sums) == {"model", "optimizer"}
    assert not any("encoder" in name for name in metadata.sums["model"])
    assert nnx.to_pure_dict(nnx.state(open_model(tmp_path / "whole").model)).keys() == {
        "backbone",
        "fc",
        "get_weight",
    }


def test_another_teacher_is_refused_and_the_same_one_may_move(taught, changed, tmp_path, caplog):
    train(taught, tmp_path / "run", stop=lambda step: step == 2)
    (tmp_path / "teacher").rename(tmp_path / "moved")
    moved = dataclasses.replace(taught, teacher=str(tmp_path / "moved"))
    train(moved, tmp_path / "run", stop=lambda step: step == 3)
    assert "teacher" in caplog.text
    train(changed(seed=5), tmp_path / "other")
    with pytest.raises(ValueError, match=r"its teacher had the weights .* give the old teacher"):
        train(dataclasses.replace(taught, teacher=str(tmp_path / "other")), tmp_path / "run")


def test_a_teacher_without_an_encoder_needs_frames_alone(changed, tmp_path):
    train(changed(model=SMALL, steps=1), tmp_path / "frames")
    mesh = make_mesh(devices=jax.devices()[:1])
    experiment = changed(model=SMALL, teacher=str(tmp_path / "frames"))
    teacher = open_teacher(experiment, mesh, kernels=None, windows="paper")
    assert teacher.composite_side == 0
    frames = jnp.asarray(np.random.default_rng(0).integers(0, 256, (4, 5, 500, 500, 3), np.uint8))
    prepared = prepare_batch({"frames": frames, "composite": None}, SMALL.inputs)
    np.testing.assert_array_equal(prepared.crops, prepare_crops(frames, SMALL.inputs))
    score = with_kernels(
        lambda state, batch: compute_teacher_logits(teacher.graph, state, batch, "float32"),
        kernels_for(mesh.devices.flat),
    )
    model = open_model(tmp_path / "frames").model
    expected = model(prepared.image, prepared.crops).logits
    np.testing.assert_allclose(
        jax.jit(score)(teacher.state, {"frames": frames}), expected, rtol=1e-4, atol=1e-5
    )
    assert Inputs("released").needs_composite
    assert MEAN.inputs.needs_composite


def test_settings_of_a_teacher_are_checked(changed, tmp_path):
    with pytest.raises(ValueError, match=r"loss\.teacher_weight=0 ignores it"):
        changed(teacher="some", loss={"teacher_weight": 0.0})
    with pytest.raises(CheckpointError, match=r"teacher=.*nowhere"):
        train(changed(teacher=str(tmp_path / "nowhere")), tmp_path / "run")
