"""Pretrained encoders and backbones become the part of the model they are for, from any kind of file."""

import dataclasses

import ml_dtypes
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pretrained import backbone_weights, encoder_weights, settings_for
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from tests.checkpoints.pth_files import write_pth
from tests.checkpoints.test_tables import huggingface, open_clip, released, torchvision

CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=280))


@pytest.fixture(scope="module")
def weights():
    """A small model's pure dict with distinct values."""
    rng = np.random.default_rng(0)
    shapes = traverse_util.flatten_dict(abstract_weights(CONFIG))
    return traverse_util.unflatten_dict({p: rng.random(s.shape, np.float32) for p, s in shapes.items()})


def check(found, expected):
    found, expected = traverse_util.flatten_dict(found), traverse_util.flatten_dict(expected)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, strict=True, err_msg=str(path))


@pytest.mark.parametrize("names", [huggingface, open_clip])
def test_clip_weights_fill_the_encoder(weights, names, tmp_path):
    tensors = {key: np.ascontiguousarray(value) for key, value in names(weights["encoder"]).items()}
    save_file(tensors, tmp_path / "model.safetensors")
    check(encoder_weights(tmp_path / "model.safetensors", CONFIG), weights["encoder"])
    check(encoder_weights(write_pth(tmp_path / "model.pt", tensors, model=False), CONFIG), weights["encoder"])


def test_half_precision_is_widened(weights, tmp_path):
    tensors = {key: value.astype(ml_dtypes.bfloat16) for key, value in open_clip(weights["encoder"]).items()}
    found = encoder_weights(write_pth(tmp_path / "model.pt", tensors), CONFIG)
    expected = weights["encoder"]["projection"].astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(found["projection"], expected, strict=True)


def test_torchvision_weights_fill_the_backbone(weights, tmp_path):
    path = write_pth(tmp_path / "resnet.pth", torchvision(weights["backbone"]), model=False)
    check(backbone_weights(path, CONFIG), weights["backbone"])


def test_weights_of_another_network_are_refused_with_all_mismatches(weights, tmp_path):
    path = write_pth(tmp_path / "resnet.pth", torchvision(weights["backbone"]))
    with pytest.raises(CheckpointError) as error:
        encoder_weights(path, CONFIG)
    for part in (str(path), "unknown key bn1.weight", "nothing fills patch_embedding"):
        assert part in str(error.value)
    with pytest.raises(CheckpointError, match=r"expected \(64, 3, 7, 7\)"):
        backbone_weights(path, dataclasses.replace(CONFIG, backbone="resnet18"))


def test_starting_points_are_told_apart(weights, tmp_path):
    clip, backbone, run = (str(tmp_path / name) for name in ("model.safetensors", "resnet.pth", "run"))
    save_file({k: np.ascontiguousarray(v) for k, v in huggingface(weights["encoder"]).items()}, clip)
    write_pth(backbone, torchvision(weights["backbone"]), model=False)
    (tmp_path / "run").mkdir()
    assert settings_for([]) == {}
    expected = {"start_backbone": backbone, "start_encoder": clip, "start": run}
    assert settings_for([run, backbone, clip]) == expected


def test_other_starting_points_are_refused_with_what_to_do(weights, tmp_path):
    backbone = str(write_pth(tmp_path / "resnet.pth", torchvision(weights["backbone"]), model=False))
    with pytest.raises(CheckpointError, match="second start_backbone"):
        settings_for([backbone, backbone])
    with pytest.raises(CheckpointError, match=r"convert it first"):
        settings_for([str(write_pth(tmp_path / "ckpt.pth", released(weights)))])
    other = write_pth(tmp_path / "other.pth", {"weight": np.zeros(3, np.float32)}, model=False)
    with pytest.raises(CheckpointError, match=r"other\.pth is refused: it is neither CLIP"):
        settings_for([str(other)])
