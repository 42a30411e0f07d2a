"""Conversion tables: every parameter is filled by the right tensor, and all mismatches are reported
together.
"""

import dataclasses
import json
import pathlib

import ml_dtypes
import numpy as np
import pytest
from flax import nnx, traverse_util

from lipfd_jax.checkpoints import tables
from lipfd_jax.models import resnet, vit
from lipfd_jax.models.inputs import RELEASED
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from tests.drawn import drawn


@dataclasses.dataclass
class Unread:
    """A tensor that must not be read."""

    shape: tuple
    dtype: np.dtype

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("read before everything was checked")


@pytest.fixture(scope="module")
def small():
    """A small model's pure dict with distinct values."""
    config = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(RELEASED, picture_size=280))
    state = nnx.to_pure_dict(nnx.state(drawn(config)))
    rng = np.random.default_rng(0)
    flat = traverse_util.flatten_dict(state)
    return traverse_util.unflatten_dict({k: rng.random(v.shape, np.float32) for k, v in flat.items()})


def linear(name, node):
    return {f"{name}.weight": node["kernel"].T, f"{name}.bias": node["bias"]}


def norm(name, node):
    return {f"{name}.weight": node["scale"], f"{name}.bias": node["bias"]}


def conv(kernel):
    return kernel.transpose(3, 2, 0, 1)


def open_clip(encoder):
    """The encoder's parameters under CLIP's own names."""
    tensors = {
        "visual.conv1.weight": conv(encoder["patch_embedding"]),
        "visual.class_embedding": encoder["class_embedding"],
        "visual.positional_embedding": encoder["position_embedding"],
        "visual.proj": encoder["projection"],
        "logit_scale": np.float32(4.6),
        "positional_embedding": np.zeros((77, 8), np.float32),
        "transformer.resblocks.0.ln_1.weight": np.zeros(8, np.float32),
    }
    tensors |= norm("visual.ln_pre", encoder["ln_pre"]) | norm("visual.ln_post", encoder["ln_post"])
    for i, block in encoder["blocks"].items():
        name = f"visual.transformer.resblocks.{i}"
        qkv = block["attention"]["qkv"]
        tensors |= {f"{name}.attn.in_proj_weight": qkv["kernel"].T, f"{name}.attn.in_proj_bias": qkv["bias"]}
        tensors |= linear(f"{name}.attn.out_proj", block["attention"]["out"])
        tensors |= linear(f"{name}.mlp.c_fc", block["fc"]) | linear(f"{name}.mlp.c_proj", block["proj"])
        tensors |= norm(f"{name}.ln_1", block["ln_1"]) | norm(f"{name}.ln_2", block["ln_2"])
    return tensors


def huggingface(encoder):
    """The same parameters under the names of HuggingFace's CLIPModel."""
    embeddings = "vision_model.embeddings"
    tensors = {
        f"{embeddings}.patch_embedding.weight": conv(encoder["patch_embedding"]),
        f"{embeddings}.class_embedding": encoder["class_embedding"],
        f"{embeddings}.position_embedding.weight": encoder["position_embedding"],
        f"{embeddings}.position_ids": np.arange(50)[None],
        "visual_projection.weight": encoder["projection"].T,
        "text_model.embeddings.token_embedding.weight": np.zeros((9, 8), np.float32),
    }
    tensors |= norm("vision_model.pre_layrnorm", encoder["ln_pre"])
    tensors |= norm("vision_model.post_layernorm", encoder["ln_post"])
    for i, block in encoder["blocks"].items():
        name = f"vision_model.encoder.layers.{i}"
        width = block["attention"]["out"]["bias"].size
        for part, letter in enumerate("qkv"):
            columns = slice(part * width, (part + 1) * width)
            node = {key: value[..., columns] for key, value in block["attention"]["qkv"].items()}
            tensors |= linear(f"{name}.self_attn.{letter}_proj", node)
        tensors |= linear(f"{name}.self_attn.out_proj", block["attention"]["out"])
        tensors |= linear(f"{name}.mlp.fc1", block["fc"]) | linear(f"{name}.mlp.fc2", block["proj"])
        tensors |= norm(f"{name}.layer_norm1", block["ln_1"]) | norm(f"{name}.layer_norm2", block["ln_2"])
    return tensors


def timm(encoder):
    """The same parameters under the names of timm's image towers."""
    tensors = {
        "cls_token": encoder["class_embedding"][None, None],
        "pos_embed": encoder["position_embedding"][None],
        "patch_embed.proj.weight": conv(encoder["patch_embedding"]),
        "head.weight": encoder["projection"].T,
        "head.bias": np.zeros(encoder["projection"].shape[1], np.float32),
    }
    tensors |= norm("norm_pre", encoder["ln_pre"]) | norm("norm", encoder["ln_post"])
    for i, block in encoder["blocks"].items():
        name = f"blocks.{i}"
        tensors |= linear(f"{name}.attn.qkv", block["attention"]["qkv"])
        tensors |= linear(f"{name}.attn.proj", block["attention"]["out"])
        tensors |= linear(f"{name}.mlp.fc1", block["fc"]) | linear(f"{name}.mlp.fc2", block["proj"])
        tensors |= norm(f"{name}.norm1", block["ln_1"]) | norm(f"{name}.norm2", block["ln_2"])
    return tensors


def bare(encoder):
    """The state dict of CLIP's image encoder alone, under CLIP's own names."""
    tensors = open_clip(encoder)
    return {key.removeprefix("visual."): tensors[key] for key in tensors if key.startswith("visual.")}


def openai(encoder):
    """The state dict of an OpenAI TorchScript archive."""
    numbers = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    return open_clip(encoder) | {key: np.int64(value) for key, value in numbers.items()}


def torchvision(backbone):
    """The backbone under torchvision's names, with its classifier."""

    def batch_norm(name, node):
        running = {f"{name}.running_mean": node["mean"], f"{name}.running_var": node["var"]}
        return norm(name, node) | running | {f"{name}.num_batches_tracked": np.int64(3)}

    tensors = {"conv1.weight": conv(backbone["conv1"]["kernel"]), "fc.weight": np.zeros((10, 8), np.float32)}
    tensors |= batch_norm("bn1", backbone["bn1"])
    names = {"shortcut_conv": "downsample.0", "shortcut_bn": "downsample.1"}
    for stage in (1, 2, 3, 4):
        for i, block in backbone[f"layer{stage}"].items():
            for part, node in block.items():
                name = f"layer{stage}.{i}.{names.get(part, part)}"
                found = (
                    {f"{name}.weight": conv(node["kernel"])} if "kernel" in node else batch_norm(name, node)
                )
                tensors |= found
    return tensors


def released(model):
    """The whole model under the released names."""
    tensors = {"conv1.weight": conv(model["conv1"]["kernel"]), "conv1.bias": model["conv1"]["bias"]}
    tensors |= {f"encoder.{key}": value for key, value in open_clip(model["encoder"]).items()}
    backbone = {key: value for key, value in torchvision(model["backbone"]).items() if key != "fc.weight"}
    tensors |= {f"backbone.{key}": value for key, value in backbone.items()}
    return tensors | linear("backbone.get_weight.0", model["get_weight"]) | linear("backbone.fc", model["fc"])


def check(tensors, table, expected):
    found = traverse_util.flatten_dict(tables.to_params(tensors, table, expected))
    flat = traverse_util.flatten_dict(expected)
    assert found.keys() == flat.keys()
    for path, value in flat.items():
        np.testing.assert_array_equal(found[path], value, err_msg=str(path))
        assert found[path].flags.c_contiguous


def test_every_table_puts_values_where_they_belong(small):
    check(released(small), tables.RELEASED_LIPFD, small)
    check(open_clip(small["encoder"]), vit.OPEN_CLIP, small["encoder"])
    check(huggingface(small["encoder"]), vit.HUGGINGFACE_CLIP, small["encoder"])
    check(torchvision(small["backbone"]), resnet.TORCHVISION, small["backbone"])


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened(small, dtype):
    tensors = {k: v.astype(dtype) if v.ndim else v for k, v in torchvision(small["backbone"]).items()}
    found = tables.to_params(tensors, resnet.TORCHVISION, small["backbone"])
    assert found["bn1"]["scale"].dtype == np.float32
    np.testing.assert_array_equal(found["bn1"]["scale"], small["backbone"]["bn1"]["scale"].astype(dtype))


def test_the_released_layout_fits():
    reference = pathlib.Path(__file__).parents[1] / "reference"
    manifest = json.loads((reference / "official_manifest.json").read_text())
    tensors = {key: Unread(tuple(shape), np.dtype(dtype)) for key, (shape, dtype) in manifest.items()}
    with pytest.raises(AssertionError, match="read before"):  # nothing to complain of, so it starts to read
        tables.to_params(tensors, tables.RELEASED_LIPFD, abstract_weights(ModelConfig(inputs=RELEASED)))


def test_all_mismatches_are_told_at_once_and_nothing_is_read(small):
    tensors = {key: Unread(value.shape, value.dtype) for key, value in released(small).items()}
    tensors["backbone.fc.wieght"] = tensors.pop("backbone.fc.weight")
    tensors["conv1.weight"] = Unread((3, 3, 5, 4), np.dtype("float32"))
    tensors["conv1.bias"] = Unread((3,), np.dtype("int32"))
    tensors["backbone.layer1.7.conv1.weight"] = Unread((1,), np.dtype("float32"))
    with pytest.raises(tables.WeightsError) as error:
        tables.to_params(tensors, tables.RELEASED_LIPFD, small)
    for line in (
        "5 mismatches",
        "unknown key backbone.fc.wieght",
        "missing: nothing fills fc/kernel",
        "conv1.weight: shape (3, 3, 5, 4), expected (3, 3, 5, 5)",
        "conv1.bias: type int32, expected floating point",
        "backbone.layer1.7.conv1.weight: the model has no parameter backbone/layer1/7/conv1/kernel",
    ):
        assert line in str(error.value)


def test_a_missing_part_of_a_fused_parameter_is_told(small):
    tensors = huggingface(small["encoder"])
    del tensors["vision_model.encoder.layers.1.self_attn.k_proj.weight"]
    with pytest.raises(tables.WeightsError, match="nothing fills blocks/1/attention/qkv/kernel"):
        tables.to_params(tensors, vit.HUGGINGFACE_CLIP, small["encoder"])
