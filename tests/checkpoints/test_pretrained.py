"""Pretrained encoders and backbones fill their part of the model, from any supported kind of file."""

import dataclasses
import json

import ml_dtypes
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pretrained import backbone_weights, encoder_weights, settings_for
from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from tests.checkpoints.pth.pth_files import write_pth
from tests.checkpoints.test_tables import bare, huggingface, open_clip, openai, released, timm, torchvision
from tests.models.test_convnext import TINY as convnext
from tests.models.test_convnext import drawn

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


@pytest.mark.parametrize("names", [huggingface, open_clip, bare, openai, timm])
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


def test_another_resnet_is_refused_in_one_line(weights, tmp_path):
    path = write_pth(tmp_path / "resnet.pth", torchvision(weights["backbone"]))
    with pytest.raises(CheckpointError) as error:
        backbone_weights(path, dataclasses.replace(CONFIG, backbone="resnet18"))
    assert "\n" not in str(error.value)
    assert "it is a resnet (blocks 1, 1, 1, 1), the backbone is resnet18 (blocks 2, 2, 2, 2)" in str(
        error.value
    )
    one = np.zeros((1, 1, 1, 1), np.float32)
    blocks = [(n + 1, i) for n, depth in enumerate((3, 4, 23, 3)) for i in range(depth)]
    names = [f"layer{stage}.{i}.conv{n}.weight" for stage, i in blocks for n in (1, 2, 3)]
    path = write_pth(tmp_path / "resnet101.pth", dict.fromkeys(names, one), model=False)
    with pytest.raises(
        CheckpointError, match=r"resnet101 \(blocks 3, 4, 23, 3\), .* resnet50 \(blocks 3, 4, 6, 3\)"
    ):
        backbone_weights(path, dataclasses.replace(CONFIG, backbone="resnet50"))


def shards(folder, tensors):
    """Writes a HuggingFace folder with two shards; returns it."""
    places = {key: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, key in enumerate(tensors)}
    for name in set(places.values()):
        save_file({key: tensors[key] for key in tensors if places[key] == name}, folder / name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_a_folder_from_a_hub_is_opened_whole_or_in_shards(weights, tmp_path):
    tensors = {key: np.ascontiguousarray(value) for key, value in huggingface(weights["encoder"]).items()}
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    shards(tmp_path, tensors)
    check(encoder_weights(tmp_path, CONFIG), weights["encoder"])
    check(encoder_weights(tmp_path / "model.safetensors.index.json", CONFIG), weights["encoder"])
    assert settings_for([str(tmp_path)]) == {"start_encoder": str(tmp_path)}
    save_file(tensors, tmp_path / "model.safetensors")  # comes first
    (tmp_path / "model-00001-of-00002.safetensors").unlink()
    check(encoder_weights(tmp_path, CONFIG), weights["encoder"])


def test_shards_that_do_not_fit_their_index_are_refused(weights, tmp_path):
    tensors = {key: np.ascontiguousarray(value) for key, value in huggingface(weights["encoder"]).items()}
    index = shards(tmp_path, tensors) / "model.safetensors.index.json"
    good = json.loads(index.read_text())
    last = list(tensors)[-1]
    for places, message in (
        ({**good["weight_map"], "more": good["weight_map"][last]}, "'more' is not in 'model-0000"),
        ({**good["weight_map"], last: "../model.safetensors"}, "not the name of a file next to it"),
        ({**good["weight_map"], last: "/etc/passwd"}, "not the name of a file next to it"),
        (
            {**good["weight_map"], last: "absent.safetensors"},
            r"absent\.safetensors is refused: there is no such",
        ),
        ([], "no weight_map"),
    ):
        index.write_text(json.dumps({"weight_map": places}))
        with pytest.raises(CheckpointError, match=message):
            encoder_weights(tmp_path, CONFIG)
    index.write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="not readable as JSON"):
        encoder_weights(tmp_path, CONFIG)
    index.unlink()
    with pytest.raises(CheckpointError, match="holds none of model"):
        encoder_weights(tmp_path, CONFIG)


@pytest.mark.parametrize(
    ("name", "config", "activation"),
    [
        ("config.json", {"model_type": "clip", "vision_config": {"hidden_act": "gelu"}}, "gelu"),
        ("config.json", {"model_type": "clip", "vision_config": {}}, "quick_gelu"),
        ("config.json", {"model_type": "clip_vision_model", "hidden_act": "quick_gelu"}, "quick_gelu"),
        ("open_clip_config.json", {"model_cfg": {"embed_dim": 128, "vision_cfg": {}}}, "gelu"),
        ("open_clip_config.json", {"model_cfg": {"quick_gelu": True, "vision_cfg": {}}}, "quick_gelu"),
        ("model.json", {"quick_gelu": True, "vision_cfg": {}}, "quick_gelu"),
        ("config.json", {"architecture": "vit_base_patch16_clip_224"}, "gelu"),
        ("config.json", {"architecture": "vit_base_patch16_clip_quickgelu_224"}, "quick_gelu"),
        (
            "config.json",
            {"architecture": "vit_base_patch16_clip_224", "pretrained_cfg": {"tag": "openai_ft_in1k"}},
            "quick_gelu",
        ),
    ],
)
def test_the_configuration_beside_a_file_says_its_activation(weights, tmp_path, name, config, activation):
    path = tmp_path / "model.safetensors"
    save_file({k: np.ascontiguousarray(v) for k, v in open_clip(weights["encoder"]).items()}, path)
    (tmp_path / name).write_text(json.dumps(config))
    encoder_weights(path, dataclasses.replace(CONFIG, activation=activation))
    other = {"gelu": "quick_gelu", "quick_gelu": "gelu"}[activation]
    with pytest.raises(CheckpointError, match=rf"with {activation} .*set model\.activation={activation}"):
        encoder_weights(path, dataclasses.replace(CONFIG, activation=other))


def test_an_unknown_activation_is_warned_of_or_refused(weights, tmp_path, caplog):
    path = tmp_path / "model.safetensors"
    save_file({k: np.ascontiguousarray(v) for k, v in open_clip(weights["encoder"]).items()}, path)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_act": "gelu"}')  # of something else
    encoder_weights(path, CONFIG)
    assert "trained with an unknown activation" in caplog.text
    (tmp_path / "config.json").write_text('{"model_type": "clip", "hidden_act": "relu"}')
    with pytest.raises(CheckpointError, match=r"config\.json is refused: .*'relu'"):
        encoder_weights(path, CONFIG)
    caplog.clear()
    (tmp_path / "config.json").unlink()
    own = write_pth(tmp_path / "ViT.pt", openai(weights["encoder"]), model=False)
    encoder_weights(own, CONFIG)
    assert not caplog.text
    with pytest.raises(CheckpointError, match="by OpenAI's archive"):
        encoder_weights(own, dataclasses.replace(CONFIG, activation="gelu"))


def test_a_classifier_of_timm_is_no_projection(weights, tmp_path):
    tensors = timm(weights["encoder"])
    tensors["head.bias"] = tensors["head.bias"] + 1
    with pytest.raises(CheckpointError, match="head has a bias"):
        encoder_weights(write_pth(tmp_path / "model.pt", tensors), CONFIG)


def test_a_convnext_fills_its_backbone(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(BACKBONES, "convnext_test", convnext)
    tensors = drawn(convnext, 0)
    classifier = {"classifier.2.weight": np.zeros((10, 32), np.float32)}
    path = write_pth(tmp_path / "convnext.pth", tensors | classifier, model=False)
    assert settings_for([str(path)]) == {"start_backbone": str(path)}
    found = backbone_weights(path, dataclasses.replace(CONFIG, backbone="convnext_test"))
    kernel = tensors["features.0.0.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(found["stem"]["kernel"], kernel)
    with pytest.raises(CheckpointError, match=r"no weights of resnet_tiny, whose keys begin with layer1"):
        backbone_weights(path, CONFIG)


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
    with pytest.raises(CheckpointError, match=r"convert them first"):
        settings_for([str(write_pth(tmp_path / "ckpt.pth", released(weights)))])
    other = write_pth(tmp_path / "other.pth", {"weight": np.zeros(3, np.float32)}, model=False)
    with pytest.raises(CheckpointError, match=r"other\.pth is refused: it is neither CLIP"):
        settings_for([str(other)])
